/** Files of values that somebody gave to Helm; a cluster does not tell them. */
import type { HelmValuesFact } from '../site/cluster-facts.ts';
import type { Known } from '../site/known.ts';
import { unknown } from '../site/known.ts';
import { manifestFiles } from './manifest-files.ts';
import { manifestSite } from './manifest-site.ts';

/** Unknown as soon as one of the files cannot be read. */
export function readHelmValues(paths: readonly string[]): Known<readonly HelmValuesFact[]> {
  const { cluster, troubles } = manifestSite({ ...manifestFiles(paths), takenAtMs: 0 });
  const [trouble] = troubles;
  return trouble === undefined ? cluster.helmValues : unknown(`${trouble.subject}: ${trouble.reason}`);
}
