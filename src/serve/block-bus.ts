/** How the plugins of one block reach each other without knowing each other: one bus per block and configuration. */
import type { Name } from '../dns/name.ts';
import type { Neighbours } from '../plugins/contract.ts';
import type { PluginRecord } from './plugin-setup.ts';

export class BlockBus {
  readonly #forgetters: ((names: readonly Name[]) => void)[] = [];
  #neighbours: Neighbours | undefined;

  onRecordsChanged(forget: (names: readonly Name[]) => void): void {
    this.#forgetters.push(forget);
  }

  recordsChanged(names: readonly Name[]): void {
    if (names.length === 0) return;
    for (const forget of this.#forgetters) forget(names);
  }

  /** `records` are all of the block, in chain order. */
  connect(records: readonly PluginRecord[]): void {
    const instances = records.map(({ instance }) => instance);
    this.#neighbours = {
      describers: instances.flatMap(({ describe }) => describe ?? []),
      chain: records.filter(({ instance }) => instance.plugin !== undefined).map(({ word }) => word),
      transfers: instances.flatMap(({ transfer }) => transfer ?? []),
      clusterNames: instances.find(({ clusterNames }) => clusterNames !== undefined)?.clusterNames,
      searchPath: (word) => records.find((record) => record.word === word)?.instance.searchPath,
    };
  }

  neighbours(): Neighbours {
    if (this.#neighbours === undefined) throw new Error('Neighbours are known only once all are set up');
    return this.#neighbours;
  }
}
