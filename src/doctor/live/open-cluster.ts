/**
 * The API server that the doctor asks: the one that flags name, else the lab's, else the pod's own, else kubectl's. Who runs
 * the doctor by hand expects it to look at the cluster that their kubectl talks to.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { errorText } from '../../fault/app-error.ts';
import { createKubeClient, type KubeClient } from '../../kube/client.ts';
import type { KubeConfigSource } from '../../kube/config/config.ts';
import { loadKubeConfig } from '../../kube/config/load-kube-config.ts';
import { type Known, known, unknown } from '../site/known.ts';

export interface ClusterChoice {
  readonly kubeconfig?: string;
  readonly context?: string;
  /** `http(s)://host:port` or `unix:///path`. */
  readonly apiServer?: string;
  /** Of a lab on this machine: asked where no flag names another. */
  readonly labSocket?: string;
}

export interface OpenCluster {
  readonly client: Known<KubeClient>;
  /** It is the lab's. */
  readonly isLab: boolean;
  /** What `kubectl` needs to be told to talk to the same one. */
  readonly kubectlFlags: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/** Never throws: without a server the nodes can still be looked at. */
export function openCluster(choice: ClusterChoice, env: Env = process.env): OpenCluster {
  const source = sourceOf(choice, env);
  const isLab = choice.labSocket !== undefined && source.endpoint === `unix://${choice.labSocket}`;
  const kubectlFlags = [
    ...(source.kubeconfig === undefined ? [] : ['--kubeconfig', source.kubeconfig.file]),
    ...(choice.context === undefined ? [] : ['--context', choice.context]),
    ...(choice.apiServer?.startsWith('http') === true ? ['--server', choice.apiServer] : []),
  ];
  try {
    return { client: known(createKubeClient(loadKubeConfig(source))), isLab, kubectlFlags };
  } catch (error) {
    return { client: unknown(errorText(error)), isLab, kubectlFlags };
  }
}

function sourceOf({ kubeconfig, context, apiServer, labSocket }: ClusterChoice, env: Env): KubeConfigSource {
  const named = context === undefined ? {} : { context };
  if (kubeconfig !== undefined) return { kubeconfig: { file: kubeconfig, ...named } };
  if (apiServer !== undefined) return { endpoint: apiServer };
  if (context === undefined && labSocket !== undefined) return { endpoint: `unix://${labSocket}` };
  if (context === undefined && env.KUBERNETES_SERVICE_HOST !== undefined) return {};
  const file = kubectlFiles(env).find((path) => existsSync(path));
  return file === undefined ? {} : { kubeconfig: { file, ...named } };
}

/** In the order that kubectl has; of several files it merges only the first is read. */
function kubectlFiles(env: Env): readonly string[] {
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
  return named.length > 0 ? named : [join(env.HOME ?? homedir(), '.kube', 'config')];
}
