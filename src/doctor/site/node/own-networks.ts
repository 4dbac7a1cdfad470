/**
 * Which processes belong to the node whose network this thread is in, on a machine that has several nodes: those in its own
 * namespace and in the ones it has an interface to. A node on a machine of its own need not ask: all processes are its.
 */
import { statSync } from 'node:fs';
import { listNamespaces, namespaceId, ownNamespace } from '../../../sys/netns/namespaces.ts';

/** Namespaces that come later are not known. Throws SYS_CALL_FAILED. */
export function livesHere(): (pid: number) => boolean {
  const own = ownNamespace().inode;
  const others = listNamespaces().filter(
    (namespace) => namespace.inode !== own && namespaceId(namespace) !== undefined,
  );
  const ours = new Set([own, ...others.map(({ inode }) => inode)]);
  return (pid) => {
    try {
      return ours.has(statSync(`/proc/${pid}/ns/net`, { bigint: true }).ino);
    } catch {
      // It has ended.
      return false;
    }
  };
}
