/** The fields of a Pod and a ConfigMap that the lab's kubelet acts on, as they stand in the manifest. */
export interface ProbeSpec {
  readonly httpGet?: { readonly path?: string; readonly port: number };
}

export interface ContainerManifest {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly readinessProbe?: ProbeSpec;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface VolumeManifest {
  readonly name: string;
  readonly configMap?: {
    readonly name: string;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
  };
}

export interface PodManifest {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly spec: {
    readonly nodeName?: string;
    readonly dnsPolicy?: string;
    readonly hostNetwork?: boolean;
    readonly containers: readonly ContainerManifest[];
    readonly volumes?: readonly VolumeManifest[];
  };
}

/** Images the lab can run: this program, and a pod that only waits for `lab exec`. */
export const IMAGES = ['zerohop', 'netshoot'] as const;

/** The command line of a pod's one container; undefined when the lab has no such image. */
export function containerCommand(
  container: ContainerManifest,
  zerohopCommand: (args: readonly string[]) => string[],
): readonly string[] | undefined {
  if (container.image === 'zerohop') return zerohopCommand(container.args ?? []);
  if (container.image === 'netshoot') return container.command ?? ['sleep', 'infinity'];
  return undefined;
}

/** Whether it is one that a manifest would mount the agent's directory into. */
export function isNodeCache({ image, args }: ContainerManifest): boolean {
  return image === 'zerohop' && args?.[0] === 'node-cache';
}
