/** What packet threads load to answer with: apart from everything else, so that it can be named before that is loaded. */
export const ANSWERER = new URL('../../wirecache/packet-answerer.ts', import.meta.url).href;
