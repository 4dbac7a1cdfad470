/** `zerohop doctor -f`: the checks over files instead of over a cluster. */
import type { Report } from '../report/report.ts';
import { runChecks } from '../run-checks.ts';
import { manifestFiles } from './manifest-files.ts';
import { manifestSite } from './manifest-site.ts';

/**
 * Files and folders; never throws for what is in them. Standard input is the caller's: give its text as a file to
 * `manifestSite`.
 */
export function lintManifests(paths: readonly string[], takenAtMs: number = Date.now()): Promise<Report> {
  return runChecks(manifestSite({ ...manifestFiles(paths), takenAtMs }));
}
