/**
 * When each query was asked, until its answer comes: a table of fixed size in which a newer query takes the place of an
 * older one, because pods decide how many stay without an answer. A query is known by the hashes of client, port and id; two
 * that share both, one in 2^32 at a time, make one latency wrong. A stub resolver that hears nothing asks again with the same
 * id from the same port: that is the same query, and its pod has waited since it asked first.
 */
const SLOTS = 1 << 14;
/** An answer that comes later belongs to another query with the same id. */
const LONGEST_NS = 30e9;

export class OpenQueries {
  readonly #marks = new Int32Array(SLOTS);
  readonly #askedNs = new Float64Array(SLOTS);
  readonly #questions = new Int32Array(SLOTS);

  /**
   * `question` tells those of one client apart that have the same id, as far as it costs nothing: what is asked is not kept.
   * `hash` is of client and port and seeded: a pod must not know whose queries share a place with its own.
   */
  ask(hash: number, id: number, question: number, nowNs: number): void {
    const mark = markOf(hash, id);
    const slot = (mark >>> 1) & (SLOTS - 1);
    const isOpen = this.#marks[slot] === mark && nowNs - (this.#askedNs[slot] ?? 0) <= LONGEST_NS;
    if (isOpen && this.#questions[slot] === question) return;
    this.#marks[slot] = mark;
    this.#questions[slot] = question;
    this.#askedNs[slot] = nowNs;
  }

  /** Nanoseconds since the query; negative when it is not known. */
  answer(hash: number, id: number, nowNs: number): number {
    const mark = markOf(hash, id);
    const slot = (mark >>> 1) & (SLOTS - 1);
    if (this.#marks[slot] !== mark) return -1;
    const elapsed = nowNs - (this.#askedNs[slot] ?? 0);
    this.#marks[slot] = 0;
    return elapsed <= LONGEST_NS ? elapsed : -1;
  }
}

/** Never 0, which is an empty place. */
function markOf(hash: number, id: number): number {
  let mark = Math.imul(hash ^ id, 0x9e3779b1);
  mark ^= mark >>> 15;
  mark = Math.imul(mark, 0x85ebca6b);
  return (mark ^ (mark >>> 13)) | 1;
}
