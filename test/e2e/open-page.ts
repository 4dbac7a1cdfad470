/** The page as a person meets it: Chromium, what it complained of and whom it asked, and whether anything moved by itself. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';

/** Nothing of the browser's own goes out, so that every request is the page's. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface OpenPage {
  readonly page: Page;
  /** Errors, warnings and dialogs. */
  readonly complaints: readonly string[];
  /** Addresses of all requests. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export interface PageLook {
  readonly scheme: 'dark' | 'light';
  readonly width?: number;
  readonly height?: number;
}

export async function openPage(
  url: string,
  { scheme, width = 1440, height = 900 }: PageLook,
): Promise<OpenPage> {
  const profile = mkdtempSync(join(tmpdir(), 'zerohop-page-'));
  const browser = await chromium.launchPersistentContext(profile, {
    ...{ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS },
    ...{ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce' },
  });
  const page = browser.pages()[0] ?? (await browser.newPage());
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(WATCH_SHIFTS);
  await page.goto(url);
  return {
    ...{ page, complaints, requests },
    async close() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/**
 * Notes what the browser counts as a layout shift (Layout Instability API), by the ids and classes from the shifted element
 * up. It runs in the page.
 */
const WATCH_SHIFTS = `
  globalThis.shifts = [];
  const wayOf = (node) => {
    const words = [];
    for (let each = node; each && each.id !== 'page'; each = each.parentElement)
      words.unshift(each.id ? '#' + each.id : [each.localName, ...each.classList].join('.'));
    return words.join(' ');
  };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      for (const { node } of entry.sources) globalThis.shifts.push(wayOf(node?.nodeType === 1 ? node : node?.parentElement));
  }).observe({ type: 'layout-shift', buffered: true });
`;

/** What moved since the last time this was asked. */
export function takeShifts(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => {
    const { shifts } = globalThis as unknown as { shifts: string[] };
    return shifts.splice(0);
  });
}
