import { describe, expect, it } from 'vitest';
import { EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import { corefile, fakeEnvironment } from './fake-environment.ts';
import { Generation } from './generation.ts';

describe('Generation', () => {
  it('is not ready before its sockets are open, whatever its plugins say', async () => {
    const environment = fakeEnvironment();
    environment.cluster.set({
      ...EMPTY_SNAPSHOT,
      synced: new Set(['services', 'endpointSlices', 'namespaces']),
    });
    const text = '.:0 {\n ready 127.0.0.1:0\n kubernetes cluster.local\n}';
    const generation = await Generation.prepare(corefile(text), environment);
    await generation.start();
    expect([...generation.readiness()]).toEqual([['kubernetes', false]]);
    generation.started([]);
    expect([...generation.readiness()]).toEqual([['kubernetes', true]]);
    await generation.shutDown();
  });
});
