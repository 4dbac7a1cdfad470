/** `lab trials`: brings the lab up, puts a steady load on it, and lets one thing after the other happen to it. */
import { styleText } from 'node:util';
import { AppError } from '../../fault/app-error.ts';
import { formatColumns } from '../../policy/columns.ts';
import { sumTallies } from '../load/client-tally.ts';
import { LOST_AFTER_MS } from '../load/query-load.ts';
import { withLab } from '../run-lab.ts';
import { answersGoOn } from './answer-trials.ts';
import { cacheHung, cacheKilled, cacheOutOfMemory, rollingUpdate } from './cache-trials.ts';
import {
  agentKilled,
  agentUpgraded,
  apiServerGone,
  clientRecreated,
  fullMap,
  policyReapplied,
} from './control-trials.ts';
import { judge, type Verdict } from './judge.ts';
import { ANSWERED_CLIENTS, CLIENTS, Stage } from './stage.ts';
import type { Trial } from './trial.ts';

export const TRIALS: readonly Trial[] = [
  cacheKilled,
  answersGoOn,
  cacheOutOfMemory,
  cacheHung,
  rollingUpdate,
  agentKilled,
  agentUpgraded,
  apiServerGone,
  policyReapplied,
  clientRecreated,
  fullMap,
];

export interface TrialOptions {
  /** Names of trials; all when empty. */
  readonly only: readonly string[];
  /** Queries per second of the four clients together. */
  readonly udpRate: number;
  readonly tcpRate: number;
  /** How many queries the rolling update should last for. */
  readonly enough: number;
  readonly outageSeconds: number;
  /** Milliseconds added to every bound: for machines on which a process that was killed waits for its turn to die. */
  readonly slackMs: number;
}

/** How long the load runs before anything happens. */
const BEFOREHAND_MS = 1_000;

export function chooseTrials(only: readonly string[]): readonly Trial[] {
  const unknown = only.find((name) => !TRIALS.some((trial) => trial.name === name));
  if (unknown === undefined)
    return only.length === 0 ? TRIALS : TRIALS.filter(({ name }) => only.includes(name));
  const known = TRIALS.map(({ name }) => name).join(', ');
  throw new AppError(
    'LAB_TRIAL_UNKNOWN',
    `Cannot run the trial: there are ${known}: received ${JSON.stringify(unknown)}`,
  );
}

/** 1 when a bar was broken. */
export async function runTrials(options: TrialOptions): Promise<number> {
  const trials = chooseTrials(options.only);
  return withLab(async (lab, stop) => {
    const { udpRate, tcpRate, enough, outageSeconds, slackMs } = options;
    const rates = { udp: udpRate, tcp: tcpRate };
    const patienceMs = LOST_AFTER_MS + slackMs;
    const stage = new Stage({ lab, stop, enough, outageSeconds, rates, patienceMs });
    await lab.api.createPolicy();
    await stage.untilAgentReady();
    await stage.makeClients();
    console.log(
      `\n${udpRate} queries per second over UDP and ${tcpRate} over TCP from ${CLIENTS.length} pods:`,
    );
    const verdicts: Verdict[] = [];
    for (const trial of trials) {
      const verdict = await runTrial(withSlack(trial, slackMs), stage);
      verdicts.push(verdict);
      tell(trial, verdict);
    }
    console.log(`\n${table(verdicts)}`);
    return verdicts.every(({ complaints }) => complaints.length === 0) ? 0 : 1;
  });
}

function withSlack(trial: Trial, slackMs: number): Trial {
  if (trial.mayLose === undefined) return trial;
  const { before, after } = trial.mayLose;
  return { ...trial, mayLose: { before: before + slackMs, after: after + slackMs } };
}

async function runTrial(trial: Trial, stage: Stage): Promise<Verdict> {
  await stage.untilServing((await stage.cachePod()).name);
  const load =
    trial.answered === true
      ? await stage.startLoad(ANSWERED_CLIENTS, { tcp: false })
      : await stage.startLoad(CLIENTS.filter((name) => name !== trial.spared));
  await stage.pause(BEFOREHAND_MS);
  const outcome = await trial.run(stage);
  return judge(trial, outcome, sumTallies([await load.end(), ...(outcome.tallies ?? [])]));
}

function tell({ name, what }: Trial, { sent, lost, complaints }: Verdict): void {
  const mark = complaints.length === 0 ? styleText('green', '✓') : styleText('red', '✗');
  console.log(`  ${mark} ${name}: ${what}: ${lost} of ${sent} lost`);
  for (const complaint of complaints) console.log(styleText('red', `      ${complaint}`));
}

function table(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => [
    verdict.trial,
    String(verdict.sent),
    String(verdict.lost),
    String(verdict.askedAgain),
    verdict.lastLossMs === undefined ? '' : `${verdict.lastLossMs.toFixed(0)} ms`,
    `${verdict.p50Ms.toFixed(1)} ms`,
    `${verdict.p99Ms.toFixed(1)} ms`,
    verdict.complaints.length === 0 ? 'kept' : 'BROKEN',
  ]);
  return formatColumns([['Trial', 'Sent', 'Lost', 'Asked again', 'Last loss', 'p50', 'p99', 'Bar'], ...rows]);
}
