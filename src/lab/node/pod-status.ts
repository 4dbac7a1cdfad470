/** A pod's `status` as a kubelet writes it, from the few facts the lab's kubelet knows. */
export interface PodFacts {
  readonly containers: readonly { readonly name: string; readonly image: string }[];
  readonly hostAddress: string;
  readonly podAddress: string;
  readonly startedAtMs: number;
  readonly running: boolean;
  readonly ready: boolean;
  readonly restarts: number;
  readonly lastEnd?: { readonly exitCode: number; readonly reason: string };
}

export function podStatus(facts: PodFacts): Record<string, unknown> {
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const started = new Date(facts.startedAtMs).toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = (type: string, yes: boolean) => ({
    type,
    status: yes ? 'True' : 'False',
    lastTransitionTime: now,
    ...(yes ? {} : { reason: 'ContainersNotReady' }),
  });
  return {
    phase: facts.running || facts.lastEnd !== undefined ? 'Running' : 'Pending',
    hostIP: facts.hostAddress,
    podIP: facts.podAddress,
    podIPs: [{ ip: facts.podAddress }],
    startTime: started,
    conditions: [
      condition('Initialized', true),
      condition('PodScheduled', true),
      condition('ContainersReady', facts.ready),
      condition('Ready', facts.ready),
    ],
    containerStatuses: facts.containers.map(({ name, image }) => ({
      name,
      image,
      ready: facts.ready,
      started: facts.running,
      restartCount: facts.restarts,
      state: facts.running
        ? { running: { startedAt: started } }
        : { waiting: { reason: facts.lastEnd === undefined ? 'CreateContainerError' : 'CrashLoopBackOff' } },
      ...(facts.lastEnd === undefined
        ? {}
        : { lastState: { terminated: { ...facts.lastEnd, finishedAt: now } } }),
    })),
  };
}
