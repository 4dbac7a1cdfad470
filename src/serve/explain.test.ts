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

  /** The words of the first block, those that take part with a plus. */
  async function parts(text: string, qname: string, type: number = TYPE.A) {
    const [listener] = await explain(text, qname, type);
    const [block] = listener?.blocks ?? [];
    const words = block?.plugins.map(({ word, takesPart }) => (takesPart ? `+${word}` : word));
    return [block?.zone, words?.join(' ')];
  }

  const STOCK = `.:53 {
  errors
  health
  ready
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }
  hosts /dev/null lab.test {
    192.0.2.9 printer.lab.test
    fallthrough
  }
  prometheus :9153
  forward . 192.0.2.1 {
    except corp.test
  }
  cache 30
  loop
  loadbalance
}
`;
  it.each<[name: string, type: number, words: string]>([
    ['web.default.svc.cluster.local.', TYPE.A, 'hosts +kubernetes +forward'],
    ['1.0.96.10.in-addr.arpa.', TYPE.PTR, '+hosts +kubernetes +forward'],
    ['96.10.in-addr.arpa.', TYPE.PTR, 'hosts +kubernetes +forward'],
    ['www.example.org.', TYPE.A, 'hosts kubernetes +forward'],
    ['printer.LAB.test.', TYPE.AAAA, '+hosts kubernetes +forward'],
    ['www.corp.test.', TYPE.A, 'hosts kubernetes forward'],
  ])('says who of a stock Corefile has a part in %s %i', async (qname, type, words) => {
    const [zone, chain] = await parts(STOCK, qname, type);
    expect(zone).toBe('.');
    const [rest = '', forward = ''] = words.split(/ (?=\S+$)/);
    expect(chain).toBe(`+prometheus +errors +loadbalance +cache ${rest} loop ${forward}`);
  });

  it('goes by the types of templates and rules, and by the zones of each', async () => {
    const text = `. {
  acl a.test {
    block type AAAA net *
  }
  template IN TXT b.test
  cache 30 a.test
  whoami
}
`;
    expect(await parts(text, 'x.a.test.', TYPE.AAAA)).toEqual(['.', '+acl +cache template +whoami']);
    expect(await parts(text, 'x.a.test.', TYPE.A)).toEqual(['.', 'acl +cache template +whoami']);
    expect(await parts(text, 'x.b.test.', TYPE.TXT)).toEqual(['.', 'acl cache +template +whoami']);
    const [listener] = await explain(text, 'x.b.test.');
    expect(listener?.blocks[0]?.fast).toContain('does not keep');
  });

  it('tells apart names of this machine, requests for zones and for everything', async () => {
    const text = '. {\n local\n any\n transfer {\n  to *\n }\n dns64\n whoami\n}\n';
    expect((await parts(text, 'a.localhost.'))[1]).toBe('+local dns64 any transfer +whoami');
    expect((await parts(text, '1.0.0.127.in-addr.arpa.', TYPE.PTR))[1]).toContain('+local');
    expect((await parts(text, 'a.org.', TYPE.ANY))[1]).toContain(' +any');
    expect((await parts(text, 'a.org.', TYPE.AXFR))[1]).toContain('+transfer');
    expect((await parts(text, 'a.org.', TYPE.AAAA))[1]).toContain('+dns64');
  });

  it('finds the block of a reverse zone, split at a byte or not', async () => {
    const text = '10.0.0.0/9 {\n whoami\n}\n2001:db8::/32 {\n whoami\n}\n. {\n cache\n}\n';
    expect((await parts(text, '1.2.127.10.in-addr.arpa.', TYPE.PTR))[0]).toBe('127.10.in-addr.arpa.');
    expect((await parts(text, '1.2.128.10.in-addr.arpa.', TYPE.PTR))[0]).toBe('.');
    expect((await parts(text, '1.8.b.d.0.1.0.0.2.ip6.arpa.', TYPE.PTR))[0]).toBe('8.b.d.0.1.0.0.2.ip6.arpa.');
  });

  it('asks the parent about a delegation (RFC 4035 section 3.1.4.1)', async () => {
    const text = 'example.org {\n whoami\n}\nsub.example.org {\n whoami\n}\n';
    expect((await parts(text, 'sub.example.org.', TYPE.DS))[0]).toBe('example.org.');
    expect((await parts(text, 'sub.example.org.', TYPE.A))[0]).toBe('sub.example.org.');
  });

  it('says which plugin keeps packet threads from answering', async () => {
    const [acl] = await explain('. {\n acl {\n  block net 10.0.0.0/8\n }\n cache\n whoami\n}\n', 'b.org.');
    expect(acl?.blocks[0]?.fast).toContain('acl');
    const [bare] = await explain('. {\n whoami\n}\n', 'b.org.');
    expect(bare?.blocks[0]?.fast).toContain('no cache');
  });
});
