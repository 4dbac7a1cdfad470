/**
 * Says once that something is wrong and once that it is over, however many collections notice and however often they try:
 * a node in trouble has better uses for its log. An API server that cannot be reached is one trouble for all collections;
 * a refused one is each collection's own.
 */
import { errorCode, errorText } from '../../fault/app-error.ts';
import type { Log } from '../../telemetry/log.ts';
import type { KubeErrorCode } from '../errors.ts';

export interface OutageLog {
  /** An attempt failed. */
  failed(resource: string, error: unknown): void;
  /** A watch that had been accepted ended before its time. */
  broke(resource: string, problem: string): void;
  /** The collection was listed or its watch accepted. */
  works(resource: string): void;
}

const UNREACHABLE: KubeErrorCode = 'KUBE_UNREACHABLE';

export function createOutageLog(log: Log): OutageLog {
  /** What each collection suffers from at present. */
  const troubles = new Map<string, string>();

  function note(resource: string, trouble: string, text: string): void {
    const known = [...troubles.values()].includes(trouble);
    troubles.set(resource, trouble);
    if (!known) log.warning(`watch of ${resource}${text}`);
  }

  return {
    failed(resource, error) {
      const code = errorCode(error);
      note(resource, code === UNREACHABLE ? code : `${code} ${resource}`, `: ${errorText(error)}`);
    },
    broke: (resource, problem) => note(resource, `broke: ${problem}`, ` broke: ${problem}`),
    works(resource) {
      const trouble = troubles.get(resource);
      troubles.delete(resource);
      if (trouble === undefined || [...troubles.values()].includes(trouble)) return;
      log.info(trouble === UNREACHABLE ? 'the API server answers again' : `watch of ${resource} works again`);
    },
  };
}
