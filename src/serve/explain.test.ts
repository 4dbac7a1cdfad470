/** Questions explained over prepared configurations: real parser, real plugins, nothing listens. */
import { describe, expect, it } from 'vitest';
import { CLASS, TYPE } from '../dns/codes.ts';
import { name } from '../plugins/fake-host.ts';
import { explainQuestion } from './explain.ts';
import { corefile, fakeEnvironment } from './fake-environment.ts';
import { Generation } from './generation.ts';

async function explain(text: string, qname: string, type: number = TYPE.A) {
  const generation = await Generation.prepare(corefile(text), fakeEnvironment());
  const listeners = explainQuestion(generation, { name: name(qname), type, class: CLASS.IN });
  await generation.shutDown();
  return listeners;
}

const NODE_CACHE = `cluster.local:53 {
  bind 169.254.20.10
  errors
  cache 30
  forward . 10.96.0.10
}
.:53 {
  bind 169.254.20.10
  cache 30
  errors
  forward . 192.0.2.1
}
`;

describe('explainQuestion', () => {
  it('names the block by its line, and its plugins in the order of the chain', async () => {
    const [listener] = await explain(NODE_CACHE, 'www.example.org.');
    expect(listener?.server).toBe('dns://169.254.20.10:53');
    expect(listener?.blocks).toHaveLength(1);
    expect(listener?.blocks[0]).toMatchObject({ zone: '.', at: { line: 7 }, fast: true });
    expect(listener?.blocks[0]?.plugins.map(({ word, at }) => [word, at?.line])).toEqual([
      ['errors', 10],
      ['cache', 9],
      ['forward', 11],
    ]);
  });

  it('takes the longest zone', async () => {
    const [listener] = await explain(NODE_CACHE, 'kubernetes.default.svc.Cluster.local.');
    expect(listener?.blocks.map(({ zone }) => zone)).toEqual(['cluster.local.']);
  });

  it('has no block for what is refused', async () => {
    const [listener] = await explain('a.org {\n whoami\n}\n', 'b.org.');
    expect(listener?.blocks).toEqual([]);
  });

  it('tells every view that may take the question, and why threads cannot know', async () => {
    const text = `. {
  view inside {
    expr incidr(client_ip(), '10.0.0.0/8')
  }
  cache
  whoami
}
. {
  cache
  whoami
}
`;
    const [listener] = await explain(text, 'b.org.');
    expect(listener?.blocks.map(({ view }) => view)).toEqual(['inside', '']);
    expect(listener?.blocks[0]?.fast).toContain('view');
  });

  it('says which plugin keeps packet threads from answering', async () => {
    const [acl] = await explain('. {\n acl {\n  block net 10.0.0.0/8\n }\n cache\n whoami\n}\n', 'b.org.');
    expect(acl?.blocks[0]?.fast).toContain('acl');
    const [bare] = await explain('. {\n whoami\n}\n', 'b.org.');
    expect(bare?.blocks[0]?.fast).toContain('no cache');
  });
});
