/** What happens around the cache while it is well: to the agent, the API server, the policy and the clients. */
import { readFileSync } from 'node:fs';
import { makeCgroup } from '../cgroup.ts';
import { killPod } from '../exec.ts';
import { fillFlowMap } from './fill-map.ts';
import type { Stage } from './stage.ts';
import type { Happening, Outcome, Trial } from './trial.ts';

const AWAY_MS = 1_000;
const IN_HANDS = { before: 25, after: 50 } as const;
const POLICY_ROUNDS = 3;
const FLOOD_PORTS = 40_000;

export const agentKilled: Trial = {
  name: 'agent-killed',
  what: 'kill -9 of the agent, and another one a second later',
  run: (stage) => replaceAgent(stage, 'SIGKILL'),
};

export const agentUpgraded: Trial = {
  name: 'agent-upgraded',
  what: 'the agent is asked to end, and the next one swaps in its programs',
  run: (stage) => replaceAgent(stage, 'SIGTERM'),
};

/** The worst of it: nobody knows of the death of the cache, and the agent that starts meanwhile has only the pins. */
export const apiServerGone: Trial = {
  name: 'api-server-gone',
  what: 'no API server; meanwhile the cache dies and the agent is replaced',
  mayLose: IN_HANDS,
  async run(stage) {
    const control = daemonPid('control');
    const quarter = (stage.outageSeconds * 1000) / 4;
    process.kill(control, 'SIGUSR2');
    const happenings: Happening[] = [];
    try {
      await stage.pause(quarter);
      const pod = await stage.cachePodWithoutApi();
      happenings.push(stage.happened('cache killed'));
      killPod(pod);
      await stage.pause(quarter);
      const pid = await stage.agentPid();
      happenings.push(stage.happened('agent killed'));
      process.kill(pid, 'SIGKILL');
      await stage.pause(AWAY_MS);
      stage.launchAgent();
      await stage.pause(2 * quarter);
    } finally {
      process.kill(control, 'SIGUSR2');
    }
    happenings.push(stage.happened('API server back'));
    await stage.untilAgentReady();
    return { happenings };
  },
};

export const policyReapplied: Trial = {
  name: 'policy-reapplied',
  what: 'the policy deleted and created again, three times',
  async run(stage) {
    const happenings: Happening[] = [];
    for (let round = 0; round < POLICY_ROUNDS; round++) {
      happenings.push(stage.happened('deleted'));
      await stage.lab.api.deletePolicy();
      await stage.pause(AWAY_MS / 2);
      happenings.push(stage.happened('created'));
      await stage.lab.api.createPolicy();
      await stage.untilServing((await stage.cachePod()).name);
    }
    return { happenings };
  },
};

export const clientRecreated: Trial = {
  name: 'client-recreated',
  what: 'the pod of one client deleted and made again under its name',
  spared: 'load-4',
  async run(stage) {
    const deleted = stage.happened('deleted');
    await stage.removePod('default', 'load-4');
    await stage.createClient('load-4');
    await stage.untilClient('load-4');
    const created = stage.happened('created and asking');
    const again = await stage.startLoad(['load-4']);
    return { happenings: [deleted, created], tallies: [await again.end()] };
  },
};

/** Every new flow then takes the place of another; and one pod asks from each of its ports once, as fast as it can. */
export const fullMap: Trial = {
  name: 'full-map',
  what: 'the table of flows is full, and a pod asks from forty thousand ports',
  async run(stage) {
    const began = stage.happened('the table is full, the flood begins');
    fillFlowMap();
    await stage.flood(FLOOD_PORTS);
    return { happenings: [began] };
  },
};

async function replaceAgent(stage: Stage, signal: 'SIGKILL' | 'SIGTERM'): Promise<Outcome> {
  const pid = await stage.agentPid();
  const ended = stage.happened(`agent got ${signal}`);
  process.kill(pid, signal);
  await stage.pause(AWAY_MS);
  const started = stage.happened('agent started');
  stage.launchAgent();
  await stage.untilAgentReady();
  return { happenings: [ended, started] };
}

/** Every process of the lab is in a cgroup under its name; the first is the daemon itself. */
function daemonPid(name: string): number {
  return Number(readFileSync(`${makeCgroup('system', name)}/cgroup.procs`, 'utf8').split('\n')[0]);
}
