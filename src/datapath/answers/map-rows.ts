/** The rows of `answer_sources` in the kernel, as they are read and written. */
import { decodeAnswerSource, encodeAnswerSource } from '../../answermap/answer-abi.gen.ts';
import { type MapEntries, u32Bytes } from '../../sys/bpf-map.ts';
import type { SourceRows } from './answer-sources.ts';

/** The map stays the caller's. */
export function sourceRows(map: MapEntries): SourceRows {
  return {
    read(id) {
      const value = map.lookup(u32Bytes(id));
      const row = value === undefined ? undefined : decodeAnswerSource(value);
      return row === undefined || row.shelf === 0 ? undefined : row;
    },
    write: (id, from) => map.update(u32Bytes(id), encodeAnswerSource(from ?? { shelf: 0, view: 0 })),
  };
}
