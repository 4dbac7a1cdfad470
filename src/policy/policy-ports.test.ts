import { expect, test } from 'vitest';
import { parsePolicyPorts } from './policy-ports.ts';

const ports = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ port: String(i + 1), protocol: 'UDP', name: `p${i}` }));

test.each([
  { frontend: 128, backend: 128, code: undefined },
  { frontend: 129, backend: 1, code: 'POLICY_TOO_MANY_PORTS' },
  { frontend: 0, backend: 10_000, code: 'POLICY_TOO_MANY_PORTS' },
])('$frontend frontend and $backend backend ports: $code', ({ frontend, backend, code }) => {
  const parsed = parsePolicyPorts(ports(frontend), ports(backend));
  expect(parsed.ok ? undefined : parsed.code).toBe(code);
});
