/** Act 2: the policy of the field reports, applied as it stands there, and how long it takes into the kernel maps. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LrpListing } from '../../agent/wire.ts';
import { runCommand } from '../command.ts';
import { zerohopCommand } from '../node/container.ts';
import { NODES, WORKER_NODE } from '../topology.ts';
import { type Act, command, heading, indent, type Stage } from './stage.ts';

const POLICY_FILE = 'src/lab/manifests/lrp-nodelocaldns.yaml';
const REALISED_TIMEOUT_MS = 5_000;

export const actTwo: Act = async (stage) => {
  const { say, lab } = stage;
  say(heading('Act 2  The CiliumLocalRedirectPolicy of the field reports'));
  say(`  created as kubectl --server ${lab.server} apply -f ${POLICY_FILE} would:`);
  const appliedAtMs = performance.timeOrigin + performance.now();
  await lab.api.createPolicy();
  say(indent('ciliumlocalredirectpolicy.cilium.io/nodelocaldns created'));
  const listings = await Promise.all(NODES.map((node) => realised(stage, node.name)));
  const failures: string[] = [];
  for (const [i, node] of NODES.entries()) {
    const at = listings[i]?.realised[0]?.realisedAtMs;
    if (at === undefined) failures.push(`the policy was not realised on ${node.name}`);
    else say(indent(`realised in the kernel maps of ${node.name} after ${(at - appliedAtMs).toFixed(1)} ms`));
  }
  const list = await zerohop(stage, ['lrp', 'list', '--node', WORKER_NODE.name]);
  if (!/kube-system\s+nodelocaldns\s+clusterIP \+ all svc ports\s+kube-system\/kube-dns/.test(list)) {
    failures.push('lrp list should show the policy and its service');
  }
  const services = await zerohop(stage, ['service', 'list', '--node', WORKER_NODE.name]);
  const redirected = /10\.96\.0\.10:53\/(UDP|TCP)\s+LocalRedirect\s+1 => 172\.20\.1\.\d+:53\/\1 \(active\)/g;
  if ([...services.matchAll(redirected)].length !== 2)
    failures.push('both DNS frontends should be LocalRedirect');
  return failures;
};

async function realised(stage: Stage, node: string): Promise<LrpListing | undefined> {
  const agent = stage.lab.api.agent({ name: node });
  for (let waited = 0; waited < REALISED_TIMEOUT_MS; waited += 5) {
    const listing = await agent.lrp();
    if (listing.realised.some(({ state }) => state === 'done')) return listing;
    await sleep(5);
  }
  return undefined;
}

/** Runs a command of ours as a user would, and shows it with what it prints. */
async function zerohop({ say }: Stage, words: readonly string[]): Promise<string> {
  say(command(`npx zerohop ${words.join(' ')}`));
  const [file = '', ...args] = zerohopCommand(words);
  const text = await runCommand(file, args);
  say(indent(text.trimEnd()));
  return text;
}
