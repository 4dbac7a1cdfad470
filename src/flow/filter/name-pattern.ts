/**
 * Patterns for names in which `*` stands for any text (spec hubble 6.4): of domains, and of nodes with their cluster. Anything
 * that no such name can hold is an error, so that a misspelt pattern does not look like silence.
 */
import { fail, type Result } from '../../fault/result.ts';
import { compileRegexp, type TextPredicate } from './regexp.ts';

/** `*.example.com`: lower case, one final dot is left out, the whole name must match. */
export function compileDomainPattern(pattern: string): Result<TextPredicate> {
  const source = domainSource(pattern);
  return source === undefined ? unreadable(pattern) : compileRegexp(`\\A(?:${source})\\z`);
}

/** A cluster is part of every node's name; without one in the pattern any will do. */
const ANY_NAME = '[-0-9_a-z]+(?:\\.[-0-9_a-z]+)*';
/** The cluster of a node that does not say it (Cilium's default). */
const DEFAULT_CLUSTER = 'default';

/** `CLUSTER/NODE`, `NODE`, `CLUSTER/`. */
export function compileNodePattern(pattern: string): Result<TextPredicate> {
  const parts = pattern.split('/');
  const [cluster = '', node = ''] = parts.length === 1 ? ['', pattern] : parts;
  if (pattern === '' || parts.length > 2) return unreadable(pattern);
  const sources = [cluster, node].map((part) => (part === '' ? ANY_NAME : domainSource(part)));
  if (sources.includes(undefined)) return unreadable(pattern);
  const compiled = compileRegexp(`\\A(?:${sources.join('/')})\\z`);
  if (!compiled.ok) return compiled;
  const matches = compiled.value;
  return {
    ok: true,
    value: (name) => name !== '' && matches(name.includes('/') ? name : `${DEFAULT_CLUSTER}/${name}`),
  };
}

function domainSource(pattern: string): string | undefined {
  const name = pattern.trim().replace(/\.$/, '').toLowerCase();
  if (!/^[-0-9_a-z.*]+$/.test(name) || name.endsWith('.')) return undefined;
  return name.replaceAll('.', '\\.').replaceAll('*', '[-.0-9a-z]*');
}

function unreadable(pattern: string): ReturnType<typeof fail> {
  const reason = `cannot read the name pattern ${JSON.stringify(pattern)}: letters, digits, '-', '_', '.' and '*'`;
  return fail('FLOW_FILTER_INVALID', undefined, reason);
}
