/** A rule changes a query on its way in, and may have something to say about the answer on its way out. */
import type { Message } from '../../dns/message.ts';
import type { Query } from '../../server/handler.ts';

/** Gives a new message; never changes the one it is given. */
export type ResponseRule = (message: Message) => Message | Promise<Message>;

export interface Applied {
  /** The same object when only the answer is to be changed. */
  readonly query: Query;
  readonly responses: readonly ResponseRule[];
  /** An EDNS option as the client is to see it, if at all; without data it is to see none. */
  readonly shown?: { readonly code: number; readonly data: Uint8Array | undefined };
}

/** Undefined: the rule has nothing to do with the query. */
export type Apply = (query: Query) => Applied | { readonly invalidName: string } | undefined;

export interface Rule {
  readonly apply: Apply;
  /** What has applied is the last rule that does. */
  readonly stop: boolean;
}
