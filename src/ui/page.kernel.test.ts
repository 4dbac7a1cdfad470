/** The page in a real browser, against the fake cluster: what a person sees, does with keys, and must not be harmed by. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClusterSource } from './testing/fake-cluster-source.ts';
import { HOSTILE_NAMES, SAMPLE_FINDINGS, SAMPLE_PODS } from './testing/sample-pods.ts';
import { startUiServer, type UiServer } from './ui-server.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const profile = mkdtempSync(join(tmpdir(), 'zerohop-page-'));
const source = new FakeClusterSource(SAMPLE_PODS, Date.now());
source.findings = SAMPLE_FINDINGS;
const complaints: string[] = [];
const requests: string[] = [];
let server: UiServer;
let browser: BrowserContext;
let page: Page;
let clock: NodeJS.Timeout;

beforeAll(async () => {
  server = await startUiServer({ source, port: 0 });
  let last = Date.now();
  clock = setInterval(() => {
    const now = Date.now();
    source.advance(now - last);
    last = now;
  }, 100);
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: FLAGS,
    viewport: { width: 1440, height: 900 },
    colorScheme: 'dark',
    reducedMotion: 'reduce',
  });
  page = browser.pages()[0] ?? (await browser.newPage());
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(server.url);
});

afterAll(async () => {
  clearInterval(clock);
  await browser?.close();
  await server?.close();
  rmSync(profile, { recursive: true, force: true });
});

const rows = () => page.locator('#rows tr.row');
const count = (selector: string) => page.locator(selector).count();

describe('the page', () => {
  it('draws the way with rates, the pods, the curves, the names, the queries and the findings', async () => {
    await expect.poll(() => page.locator('.label.entered .rate').textContent()).toMatch(/^[1-9][\d.]*\/s$/);
    await expect.poll(() => count('#pod-list .pod')).toBe(SAMPLE_PODS.length + 1);
    await expect.poll(() => count('.finding')).toBe(SAMPLE_FINDINGS.length);
    await expect.poll(() => rows().count()).toBeGreaterThan(20);
    expect(await count('.plot canvas')).toBe(3);
    await expect.poll(() => count('.name-row')).toBeGreaterThan(3);
    await expect.poll(() => page.locator('.label.entered .latency').textContent()).toMatch(/ms|µs/);
  });

  it('draws the way of the pod that is chosen with keys, and keeps it in the address', async () => {
    await page.keyboard.press('p');
    await page.keyboard.press('End');
    const chosen = page.locator('.pod[aria-selected=true] .pod-name');
    await expect.poll(() => chosen.textContent()).not.toBe('All pods');
    expect(new URL(page.url()).searchParams.get('show')).toContain('/');
    await expect
      .poll(() => page.locator('.way-who').textContent())
      .toBe(new URL(page.url()).searchParams.get('show'));
    await page.keyboard.press('Escape');
    await page.keyboard.press('a');
    await expect.poll(() => chosen.textContent()).toBe('All pods');
  });

  it('lists only what bypassed the cache after one key, and everything after another', async () => {
    const entered = () => count('#rows td.outcome.entered');
    await page.keyboard.press('b');
    await expect.poll(async () => (await entered()) === 0 && (await rows().count()) > 0).toBe(true);
    expect(new URL(page.url()).searchParams.get('bypassed')).toBe('1');
    await page.keyboard.press('x');
    await expect.poll(entered).toBeGreaterThan(0);
  });

  it('filters by the name that is typed', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('stripe');
    const names = () => page.locator('#rows td.name').allTextContents();
    await expect
      .poll(async () => {
        const shown = await names();
        return shown.length > 0 && shown.every((name) => name === 'api.stripe.com.');
      })
      .toBe(true);
    await page.keyboard.press('Escape');
    await page.keyboard.press('x');
    await expect.poll(async () => new Set(await names()).size).toBeGreaterThan(1);
  });

  it('moves no row while one is read, counts what waits, and shows the flows of a query', async () => {
    await page.keyboard.press('t');
    // Rows that had come by then are drawn with the same frame.
    await expect.poll(() => page.locator('.news').textContent()).toContain('Held');
    const first = await rows().first().getAttribute('id');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.steps li').first().textContent()).toContain('from-endpoint');
    await expect.poll(() => page.locator('.news').textContent()).toMatch(/Held · [1-9]/);
    expect(await rows().first().getAttribute('id')).toBe(first);
    await page.keyboard.press('g');
    await expect.poll(() => rows().first().getAttribute('id')).not.toBe(first);
  });

  it('helps, and gives the keys back when the help is closed', async () => {
    await page.keyboard.press('?');
    await expect.poll(() => page.locator('dialog').isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('dialog').isVisible()).toBe(false);
  });

  it('reaches each control by Tab, in the order of the page', async () => {
    await page.evaluate(() => Reflect.get(globalThis, 'document').activeElement?.blur());
    const seen: string[] = [];
    for (let i = 0; i < 24; i++) {
      await page.keyboard.press('Tab');
      seen.push(await page.evaluate(() => Reflect.get(globalThis, 'document').activeElement?.id ?? ''));
    }
    const wanted = ['pod-search', 'pod-list', 'filter-name', 'filter-ns', 'filter-bypassed', 'examine'];
    expect(wanted.map((id) => seen.indexOf(id)).every((at, index, all) => at > (all[index - 1] ?? -1))).toBe(
      true,
    );
  });

  it('shows names that are attacks as text', async () => {
    const [pod = SAMPLE_PODS[0]] = SAMPLE_PODS.slice(-1);
    for (const name of HOSTILE_NAMES) if (pod !== undefined) source.ask(pod, name);
    await page.keyboard.press('/');
    await page.keyboard.type('e');
    await page.locator('#filter-pod').fill('netshoot');
    const shown = async () => (await page.locator('#rows td.name').allTextContents()).join(' ');
    for (const text of ['<script>', '<img\\032src', '\\u001b[31m', 'safe\\u202egro'])
      await expect.poll(shown).toContain(text);
    expect(await count('#page img, #page script')).toBe(0);
    expect(await page.title()).toBe('zerohop');
    const wide = await page.evaluate(() => Reflect.get(globalThis, 'document').documentElement.scrollWidth);
    expect(wide).toBe(1440);
    await page.keyboard.press('Escape');
    await page.keyboard.press('x');
  });

  it('does not shift while it runs', async () => {
    const boxes = () =>
      page
        .locator('.panel')
        .evaluateAll((all) => all.map((each) => JSON.stringify(each.getBoundingClientRect())));
    const before = await boxes();
    const flows = () => page.locator('.top .number').last().textContent();
    const then = await flows();
    await expect.poll(flows).not.toBe(then);
    expect(await boxes()).toEqual(before);
  });

  it('asked nobody but its server, and had nothing to complain about', () => {
    expect(requests.filter((url) => !url.startsWith(new URL('/', server.url).href))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
