/** The page of the running lab in a real browser: real queries, a real policy, a real doctor, an agent that dies. Needs root. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LabApi, openLabApi } from '../../src/lab/lab-api.ts';
import { LAB_PATHS, WORKER_NODE } from '../../src/lab/topology.ts';
import { startAgent } from '../../src/lab/up.ts';
import { type OpenPage, openPage, takeShifts } from './open-page.ts';
import { type Asking, keepAsking } from './pod-traffic.ts';
import { type RunningLab, startLab, untilUp, zerohop } from './running-lab.ts';

/** As dig writes them: what would be markup, steer a terminal, or turn the text around it (RFC 1035 section 5.1). */
const HOSTILE = [
  '<script>document.title=1</script>.evil.example',
  '<img\\032src=x\\032onerror=alert(1)>.evil.example',
  '\\027[31mred\\027[0m.evil.example',
  'safe\\226\\128\\174gro.live.example',
  '{\\"a\\":1}\\010data:.evil.example',
];
const BUSY_MS = 40_000;

let lab: RunningLab;
let api: LabApi;
let open: OpenPage;
let page: Page;
const asking: Asking[] = [];

beforeAll(async () => {
  lab = startLab();
  await untilUp(lab);
  api = openLabApi(LAB_PATHS.api);
  asking.push(keepAsking('netshoot', ['google.com', 'github.com', 'missing.example'], 0.1));
  asking.push(keepAsking('curl-pod', ['cilium.io'], 0.5));
  open = await openPage(pageUrl(), { scheme: 'dark' });
  page = open.page;
}, 200_000);

afterAll(async () => {
  for (const each of asking) each.stop();
  await open?.close();
  api?.close();
  lab?.child.kill('SIGINT');
  await lab?.ended;
});

function pageUrl(): string {
  return /http:\/\/127\.0\.0\.1:\d+\/#\S+/.exec(lab.output())?.[0] ?? '';
}

const textOf = (selector: string) => page.locator(selector).first().textContent();
const textsOf = (selector: string) => page.locator(selector).allTextContents();
const seen = (look: () => unknown) => expect.poll(look, { timeout: BUSY_MS });

describe('the page of the running lab', { timeout: 120_000 }, () => {
  it('draws that without a policy every query of the chosen pod goes past its cache', async () => {
    await page.keyboard.press('p');
    await seen(() => textsOf('#pod-list .pod-name')).toContain('netshoot');
    // What a key did is drawn in the next frame: the next key is pressed after that, or it would go past the pod.
    const who = () => textOf('.way-who');
    for (let at = await who(); at !== 'default/netshoot'; at = await who()) {
      await page.keyboard.press('ArrowDown');
      await seen(who).not.toBe(at);
    }
    await seen(() => textOf('.label.bypassed .rate')).toMatch(/^[1-9][\d.]*\/s$/);
    await seen(() => textOf('.label.bypassed .latency')).toMatch(/\d+ (µs|ms) · \d/);
    expect(await textOf('.place.hook .place-text')).toBe('0.0 % entered');
    await seen(() => textsOf('#rows td.server')).toContainEqual(expect.stringMatching(/^coredns-/));
    await page.keyboard.press('Escape');
  });

  it('shows what the doctor found, and what to do', async () => {
    await seen(() => textsOf('.finding .cause')).toContainEqual(expect.stringContaining('kube-dns'));
    await seen(() => textsOf('.verdict-row')).toContainEqual(expect.stringMatching(/netshoot.*bypassed/i));
    expect(await textsOf('.finding .fix pre')).toContainEqual(
      expect.stringContaining('kind: CiliumLocalRedirectPolicy'),
    );
  });

  it('draws that with the policy they enter it, with the share of hits and what the cache asked on', async () => {
    await api.createPolicy();
    // What the cache knows is answered by the kernel, where that is on.
    await seen(() => textsOf('.label.entered .rate, .label.kernel .rate')).toContainEqual(
      expect.stringMatching(/^[1-9][\d.]*\/s$/),
    );
    await seen(() => textOf('.place.hook .place-text')).toBe('100 % entered');
    await seen(() => textOf('.place.cache .place-text')).toMatch(
      /^hits [5-9]\d\.\d %$|^hits 100 %$|^hits >99.9 %$/,
    );
    await seen(() => textsOf('#rows td.outcome.entered')).toContainEqual(
      expect.stringMatching(/^● entered · (hit|kernel)$/),
    );
    await seen(() => textsOf('#rows td.server')).toContainEqual(
      expect.stringMatching(/^node-local-dns-|^the kernel$/),
    );
    await seen(() => textOf('.curve:nth-child(3) .keys b')).toMatch(/\d %/);
  });

  it('is told by the doctor that it is mended, at a key', async () => {
    await page.keyboard.press('d');
    await seen(() => textsOf('.verdict-row')).toContainEqual(expect.stringMatching(/netshoot.*entered/i));
    expect((await textsOf('.finding.bypassed')).length).toBe(0);
  });

  it('lists names and pods over time', async () => {
    for (const name of ['google.com.', 'github.com.', 'missing.example.'])
      await seen(() => textsOf('.name-row .name')).toContain(name);
    expect(await page.locator('.name-row.absent .name').first().textContent()).toBe('missing.example.');
    await seen(() => textsOf('#pod-list .pod-name')).toContain('curl-pod');
    const points = await page.locator('.name-row polyline').first().getAttribute('points');
    expect(points?.split(' ').length).toBeGreaterThan(5);
  });

  it('filters by pod, name and answer, and shows the flows of one query', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('missing');
    await page.locator('#filter-rcode').selectOption('NXDOMAIN');
    await page.locator('#filter-pod').fill('netshoot');
    const shown = async () => new Set(await textsOf('#rows td.name, #rows td.rcode'));
    await seen(shown).toEqual(new Set(['missing.example.', 'NXDOMAIN']));
    await page.keyboard.press('Escape');
    // The last word that was typed may bring new rows yet, which close what is open.
    const points = async () => {
      if ((await page.locator('.detail').count()) === 0) {
        await page.keyboard.press('t');
        await page.keyboard.press('Enter');
      }
      return textsOf('.steps .point');
    };
    await seen(points).toEqual(expect.arrayContaining(['from-endpoint', 'pre-xlate-fwd', 'dns-response']));
    await page.keyboard.press('Escape');
    await page.keyboard.press('x');
    await page.keyboard.press('g');
  });

  it('moves nothing by itself but the rows that come, and not even those under a reader', async () => {
    const flows = () => textOf('.top .flows');
    const updates = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const before = await flows();
        await seen(flows).not.toBe(before);
      }
    };
    await updates(2);
    await takeShifts(page);
    await updates(5);
    const lists = /#rows |#pod-list|ul\.scroll/;
    expect((await takeShifts(page)).filter((way) => !lists.test(way))).toEqual([]);
    await page.locator('#rows').hover();
    await updates(1);
    await takeShifts(page);
    await updates(3);
    const news = await textOf('.news');
    const shifts = await takeShifts(page);
    await page.mouse.move(5, 5);
    expect(shifts.filter((way) => !/#pod-list|ul\.scroll/.test(way))).toEqual([]);
    expect(news).toMatch(/^Held · [1-9]/);
  });

  it('shows names that are attacks as text, as they went over the wire', async () => {
    asking.push(keepAsking('curl-pod', HOSTILE, 1));
    await page.locator('#filter-name').fill('e');
    await page.locator('#filter-pod').fill('curl-pod');
    const names = async () => (await textsOf('#rows td.name')).join(' ');
    for (const text of [
      '<script>document.title=1</script>',
      'onerror=alert(1)>',
      '027[31mred',
      'gro.live.example.',
    ])
      await seen(names).toContain(text);
    const all = await page.content();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be there
    expect(all).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    expect(await page.locator('#page img, #page script').count()).toBe(0);
    expect(await page.title()).toBe('zerohop');
    await page.keyboard.press('Escape');
    await page.keyboard.press('x');
  });

  it('says which node is away when its agent ends, and goes on when it is back', async () => {
    const { pid } = await api.agent(WORKER_NODE).status();
    process.kill(pid, 'SIGKILL');
    await seen(() => textOf('.top')).toMatch(/1 of 2 nodes away: k8s-w1/);
    await seen(() => textsOf('#rows td.client')).toContain('default/curl-pod');
    startAgent(WORKER_NODE);
    await seen(() => textOf('.top')).not.toContain('away');
    const newest = async () =>
      (await page.locator('#rows tr.row', { hasText: 'netshoot' }).first().getAttribute('id')) ?? '';
    const before = await newest();
    await seen(newest).not.toBe(before);
  });

  it('is dark in a dark room and light in a light one', async () => {
    const brightness = () =>
      page.evaluate(() => {
        const { document, getComputedStyle } = globalThis as unknown as {
          document: { body: unknown };
          getComputedStyle: (element: unknown) => { backgroundColor: string };
        };
        const parts = getComputedStyle(document.body).backgroundColor.match(/\d+/g) ?? [];
        return parts.reduce((sum, part) => sum + Number(part), 0) / 3;
      });
    expect(await brightness()).toBeLessThan(30);
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await brightness()).toBeGreaterThan(220);
  });

  it('asked nobody but its own server, and had nothing to complain about', () => {
    const { origin } = new URL(pageUrl());
    expect(open.requests.filter((url) => new URL(url).origin !== origin)).toEqual([]);
    expect(open.complaints).toEqual([]);
  });

  it('ends with the lab, of which nothing stays', async () => {
    lab.child.kill('SIGINT');
    expect(await lab.ended).toBe(0);
    await seen(() => textOf('.link-state')).toContain('does not answer');
    expect(zerohop('ui', '--port', '0').stderr).toMatch(/Cannot find an agent/);
  });
});
