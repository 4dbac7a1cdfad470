import { describe, expect, it } from 'vitest';
import { changedKeys } from './changed-keys.ts';
import { changedTable } from './layered-table.ts';
import type { NodeRow } from './rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from './snapshot.ts';

function node(name: string, label = ''): NodeRow {
  return { namespace: '', name, uid: '', createdAtMs: 0, internalIPs: [], labels: { label } };
}

function snapshot(nodes: ClusterSnapshot['nodes'], generation: number): ClusterSnapshot {
  return { ...EMPTY_SNAPSHOT, generation, nodes };
}

/** So many that a change makes a layer and no copy. */
const MANY = new Map(Array.from({ length: 1000 }, (_, index) => [`/n${index}`, node(`n${index}`)] as const));

describe('changedKeys', () => {
  it('finds nothing where the table is the same', () => {
    expect([...changedKeys(snapshot(MANY, 1), snapshot(MANY, 9), 'nodes')]).toEqual([]);
  });

  it('believes a snapshot that follows directly', () => {
    const changed = new Map([['nodes', new Set(['/n7'])]] as const);
    const after = { ...snapshot(new Map(MANY), 2), changed };
    expect([...changedKeys(snapshot(MANY, 1), after, 'nodes')]).toEqual(['/n7']);
  });

  it('compares when a generation was missed: what it was told of is only the last change', () => {
    const once = changedTable(MANY, new Map([['/n1', node('n1', 'new')]]));
    const twice = changedTable(once, new Map([['/n2', undefined]]));
    const after = { ...snapshot(twice, 3), changed: new Map([['nodes', new Set(['/n2'])]] as const) };
    expect([...changedKeys(snapshot(MANY, 1), after, 'nodes')].sort()).toEqual(['/n1', '/n2']);
  });

  it('finds what came back to what it was before, between two layers over one table', () => {
    const once = changedTable(MANY, new Map([['/n1', node('n1', 'new')]]));
    const other = changedTable(MANY, new Map([['/n2', node('n2', 'new')]]));
    expect([...changedKeys(snapshot(once, 1), snapshot(other, 3), 'nodes')].sort()).toEqual(['/n1', '/n2']);
  });

  it('compares tables that share nothing, row by row', () => {
    const again = new Map(MANY);
    again.set('/n3', node('n3', 'new'));
    again.delete('/n4');
    again.set('/n1000', node('n1000'));
    expect([...changedKeys(snapshot(MANY, 1), snapshot(again, 2), 'nodes')].sort()).toEqual([
      '/n1000',
      '/n3',
      '/n4',
    ]);
  });
});
