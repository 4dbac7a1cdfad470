/**
 * Makes the pictures of the README from a lab that it starts itself: `node tools/run.mjs tools/pictures.ts`, as root. Pods
 * of an ordinary shop ask what such pods ask; one namespace is not redirected, one name does not exist.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { openLabApi } from '../src/lab/lab-api.ts';
import { LAB_PATHS, NODES } from '../src/lab/topology.ts';
import { openPage } from '../test/e2e/open-page.ts';
import { keepAsking } from '../test/e2e/pod-traffic.ts';
import { startLab, untilUp } from '../test/e2e/running-lab.ts';
import { smallPng } from './small-png.ts';

const PICTURES = join(import.meta.dirname, '../docs/images');
/** Long enough for the curves to be curves. */
const TRAFFIC_MS = 40_000;
const MOST_BYTES = 200_000;

interface Client {
  readonly name: string;
  readonly node: number;
  readonly every: number;
  readonly names: readonly string[];
  /** As `policy` understands it: its packets are left alone. */
  readonly isLeftAlone?: boolean;
}

const CLIENTS: readonly Client[] = [
  {
    name: 'cart-6d4b7c8f9-x2x7k',
    node: 1,
    every: 0.1,
    names: ['google.com', 'www.google.com', 'a.load.example'],
  },
  { name: 'checkout-5f7d9c6b4-lm8qz', node: 0, every: 0.25, names: ['github.com', 'b.load.example'] },
  {
    name: 'search-59b8c4dd7-9hx2r',
    node: 1,
    every: 0.5,
    names: ['cilium.io', 'mistyped.example', 'c.load.example'],
  },
  {
    name: 'report-28411140-pk5dj',
    node: 0,
    every: 0.4,
    names: ['example.com', 'kubernetes.io'],
    isLeftAlone: true,
  },
];

const lab = startLab();
try {
  await untilUp(lab);
  const api = openLabApi(LAB_PATHS.api);
  await api.createPolicy();
  for (const { name, node, isLeftAlone } of CLIENTS) {
    const labels = { app: name.split('-')[0] ?? name };
    const annotations = isLeftAlone === true ? { 'zerohop.io/redirect': 'deny' } : {};
    await api.createPod('default', {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels, annotations } },
      spec: { nodeName: NODES[node]?.name, containers: [{ name: 'app', image: 'netshoot' }] },
    });
  }
  while ((await api.pods()).some(({ ready }) => !ready)) await sleep(100);
  await api.agentsReady(20_000, new AbortController().signal);
  const asking = CLIENTS.map(({ name, names, every }) => keepAsking(name, names, every));
  await sleep(TRAFFIC_MS);
  await writePictures(/http:\/\/127\.0\.0\.1:\d+\/#\S+/.exec(lab.output())?.[0] ?? '');
  for (const each of asking) each.stop();
  api.close();
} finally {
  lab.child.kill('SIGINT');
  await lab.ended;
}

async function writePictures(url: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  for (const scheme of ['light', 'dark'] as const) {
    const open = await openPage(url, { scheme });
    try {
      await examined(open.page);
      await open.page.locator('#rows tr.row').nth(20).waitFor();
      const path = join(PICTURES, `page-${scheme}.png`);
      const picture = smallPng(await open.page.screenshot());
      writeFileSync(path, picture);
      console.log(`${path}: ${picture.length} bytes`);
      if (picture.length > MOST_BYTES) process.exitCode = 1;
    } finally {
      await open.close();
    }
  }
}

/** A busy machine may be too slow for the doctor's ten seconds: it is asked again. */
async function examined(page: Page): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    await page.locator('#examine:not([disabled])').waitFor({ timeout: 60_000 });
    if ((await page.locator('.verdict-row').count()) > 0) return;
    console.log(`the doctor said: ${(await page.locator('.findings').textContent())?.slice(0, 400)}`);
    // Not sooner than the page's server asks it again.
    await sleep(6000);
    await page.keyboard.press('d');
  }
}
