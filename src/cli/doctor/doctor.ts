/** `zerohop doctor`: why DNS does or does not enter the caches of the nodes, as a report; or the same of manifests. */
import type { DoctorErrorCode } from '../../doctor/errors.ts';
import { lintManifests } from '../../doctor/lint/lint-manifests.ts';
import { formatReport, formatReportJson } from '../../doctor/report/format-report.ts';
import type { Report } from '../../doctor/report/report.ts';
import { AppError } from '../../fault/app-error.ts';
import { systemClock } from '../../telemetry/clock.ts';
import type { Command } from '../main.ts';
import {
  collectWhole,
  countFlag,
  createProgram,
  endOnClosedPipe,
  print,
  runProgram,
  warn,
} from '../program.ts';
import { type DoctorFlags, doctorOfThisMachine } from './this-machine.ts';

interface Flags extends DoctorFlags {
  readonly timeout: number;
  readonly output: string;
  readonly file?: readonly string[];
  readonly color: string;
}

const DESCRIPTION =
  'Finds out whether queries of pods enter the DNS cache of their node, and if not, why: sends tagged queries from inside ' +
  'of pods, follows each, looks at the node and at the objects of the cluster. It changes nothing. Needs root to look at ' +
  'a node. Exit code 0 when all is well, 1 when something was found, 2 when that could not be told.';

export const run: Command = async (args) => {
  let exitCode = 0;
  const program = createProgram('zerohop doctor', DESCRIPTION)
    .option('--node <name>', 'only this node')
    .option('--pod <pod>', 'only this pod: NAMESPACE/NAME, or NAME of namespace default')
    .option('-o, --output <layout>', 'text, json', 'text')
    .option('-f, --file <path>', 'manifests, files or folders, instead of a cluster; repeated', collectWhole)
    .option('--helm-values <file>', 'values that Cilium was installed with; repeated', collectWhole)
    .option('--kubeconfig <file>', 'credentials and address of the API server')
    .option('--context <name>', 'of the kubeconfig')
    .option('--api-server <url>', 'http(s)://host:port or unix:///path')
    .option('--cluster-domain <name>', 'what the cluster calls itself, if its DNS does not tell')
    .option('--timeout <seconds>', 'for everything together, from 2 to 60', countFlag, 9)
    .option('--color <when>', 'auto, always, never', 'auto')
    .action(async (flags: Flags) => {
      exitCode = await doctor(flags);
    });
  try {
    const refused = await runProgram(program, args);
    // 1 says that something was found, which a mistyped flag did not.
    return refused === undefined ? exitCode : refused === 0 ? 0 : 2;
  } catch (error) {
    warn(whyNothing(error));
    return 2;
  }
};

/** With its stack where it is a bug of ours: that, too, is nothing that was found. */
function whyNothing(error: unknown): string {
  if (!(error instanceof AppError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  return error.hint === undefined ? error.message : `${error.message}\n  ${error.hint}`;
}

async function doctor(flags: Flags): Promise<number> {
  if (flags.output !== 'text' && flags.output !== 'json')
    throw invalid('-o', 'it is text or json', flags.output);
  if (!['auto', 'always', 'never'].includes(flags.color))
    throw invalid('--color', 'it is auto, always or never', flags.color);
  endOnClosedPipe();
  const report = await reportOf(flags);
  const terminal = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  const colour = flags.color === 'always' || (flags.color === 'auto' && terminal);
  await print(flags.output === 'json' ? formatReportJson(report) : formatReport(report, { colour }));
  // An agent that hangs keeps its connection, and would keep us: what there was to say is said.
  setTimeout(() => process.exit(report.exitCode), LINGER_MS).unref();
  return report.exitCode;
}

const LINGER_MS = 50;

function reportOf({ file, helmValues = [], pod, timeout, ...flags }: Flags): Promise<Report> {
  if (file !== undefined) return lintManifests([...file, ...helmValues]);
  if (timeout < 2 || timeout > 60) throw invalid('--timeout', 'it is from 2 to 60 seconds', String(timeout));
  if (process.getuid?.() !== 0)
    warn('without root a node tells little of itself: run it with sudo to see all');
  return doctorOfThisMachine({
    ...flags,
    // It is for the command as somebody waits for it, and that has been starting for a while.
    timeoutSeconds: Math.max(1, timeout - systemClock.monotonicMs() / 1000),
    ...(helmValues.length === 0 ? {} : { helmValues }),
    ...(pod === undefined ? {} : { pod: pod.includes('/') ? pod : `default/${pod}` }),
  });
}

function invalid(flag: string, reason: string, received: string): AppError {
  const code: DoctorErrorCode = 'DOCTOR_OPTION_INVALID';
  return new AppError(code, `Cannot use ${flag}: ${reason}: received ${JSON.stringify(received)}`);
}
