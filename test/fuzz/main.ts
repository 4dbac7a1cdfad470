/**
 * `npm run fuzz`: mutated packets through the decoder and through the whole server, in this process and over the sockets
 * of the real program; and queries to the kernel's programs and to user space, which must agree (as root: elsewhere
 * there are none). What was found is printed with the seed that finds it again, and the exit code is 1.
 * `--seed N --decoder COUNT --server COUNT --answers COUNT`.
 */
import { parseArgs } from 'node:util';
import { fuzzAnswers } from './answers/fuzz-answers.ts';
import { fuzzDecoder } from './fuzz-decoder.ts';
import { fuzzServer } from './fuzz-server.ts';
import { fuzzSockets } from './fuzz-sockets.ts';
import { shareServerPackets } from './shares.ts';
import { formatReports, type StageReport } from './stage-report.ts';
import { Violation } from './violation.ts';

const DECODER_PACKETS = 10_000_000;
const SERVER_PACKETS = 1_000_000;
const ANSWER_QUERIES = process.getuid?.() === 0 ? 1_000_000 : 0;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 0x1_0000_0000) },
    decoder: { type: 'string', default: String(DECODER_PACKETS) },
    server: { type: 'string', default: String(SERVER_PACKETS) },
    answers: { type: 'string', default: String(ANSWER_QUERIES) },
  },
});

const seed = numberOf('seed', values.seed);
const progress = (text: string) => console.log(text);
const reports: StageReport[] = [];
try {
  console.log(`seed ${seed}`);
  reports.push(fuzzDecoder({ seed, count: numberOf('decoder', values.decoder), progress }));
  await fuzzServers(numberOf('server', values.server));
  console.log(`\n${formatReports(reports)}`);
  const answers = numberOf('answers', values.answers);
  if (answers > 0) console.log(`\n${(await fuzzAnswers({ seed, count: answers, progress })).format()}`);
} catch (error) {
  console.log(`\n${formatReports(reports)}`);
  console.error(error instanceof Violation ? error.message : error);
  process.exitCode = 1;
}

async function fuzzServers(count: number): Promise<void> {
  if (count === 0) return;
  const { inProcess, ...ways } = shareServerPackets(count);
  reports.push(...(await fuzzServer({ seed, count: inProcess, progress })));
  reports.push(...(await fuzzSockets({ seed, progress }, ways)));
}

function numberOf(flag: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0) return number;
  console.error(`--${flag} takes a whole number: received ${text}`);
  process.exit(2);
}
