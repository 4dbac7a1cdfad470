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

  describe('says whether the kernel may answer', () => {
    async function kernel(directives: string, { key = '.', type = TYPE.A as number } = {}) {
      const [listener] = await explain(`${key} {\n${directives}\n}\n`, 'b.org.', type);
      return listener?.blocks[0]?.kernel;
    }
    const template = (text: string) => `cache\ntemplate IN A {\n answer "{{ .Name }} 60 IN TXT ${text}"\n}`;

    it.each([
      ['behind a cache', 'errors\nprometheus 127.0.0.1:0\nlog\ncache\nloadbalance\nforward . 192.0.2.1'],
      [
        'of this machine, of files and of the cluster',
        'cache\nhosts /dev/null\nkubernetes cluster.local\nfile /dev/null',
      ],
      ['of a template that goes by the name', template('{{ .Group.a }}{{ range .Match }}{{ . }}{{ end }}')],
      ['with bits of a header set', 'cache\nheader {\n response set ra\n}\nminimal\nforward . 192.0.2.1'],
    ])('%s', async (_, directives) => {
      expect(await kernel(directives)).toBe(true);
    });

    it.each([
      ['a template with the address', template('{{ .Remote }}'), 'template'],
      [
        'a template with what is known of a query',
        template('{{ .Meta `kubernetes/client-namespace` }}'),
        'template',
      ],
      ['a template with all that it has', template('{{ printf `%v` . }}'), 'template'],
      ['a template with all of it in a variable', template('{{ $a := $ }}{{ $a.Remote }}'), 'template'],
      ['whoami', 'cache\nwhoami', 'whoami'],
      ['acl by networks', 'acl {\n block net 10.0.0.0/8\n}\ncache', 'network'],
      ['acl for all', 'acl {\n block type ANY\n}\ncache', 'acl stands before cache'],
      ['autopath for pods', 'autopath @kubernetes\ncache\nkubernetes cluster.local', 'pod that asks'],
      ['rewrite with the client', 'rewrite edns0 local set 0xffee {client_ip}\ncache', 'of the client'],
      ['rewrite with its network', 'rewrite edns0 subnet set 24 56\ncache', 'of the client'],
      [
        'rewrite with what is known of a query',
        'rewrite edns0 local set 1 {kubernetes/client-pod-name}\ncache',
        'of the client',
      ],
      ['rewrite of names', 'rewrite name a.org b.org\ncache', 'rewrite stands before cache'],
      ['dns64', 'dns64\ncache', 'over IPv6'],
      ['dns64 for all', 'dns64 {\n allow_ipv4\n}\ncache', 'dns64 stands before cache'],
      [
        'loadbalance by networks',
        'loadbalance round_robin {\n prefer 10.0.0.0/8\n}\ncache',
        'loadbalance stands before',
      ],
      ['a view', 'view inside {\n expr true\n}\ncache', 'who asks'],
      ['no cache', 'forward . 192.0.2.1', 'no cache'],
      ['a cache of other names', 'cache a.org', 'does not keep'],
    ])('not %s', async (_, directives, reason) => {
      expect(await kernel(directives)).toContain(reason);
    });

    it('not what is asked over TLS, and not what a parent knows', async () => {
      expect(await kernel('cache', { key: 'tls://.' })).toContain('encrypted');
      expect(await kernel('cache', { type: TYPE.DS })).toContain('parent');
    });
  });

  it('says which plugin keeps packet threads from answering', async () => {
    const [acl] = await explain('. {\n acl {\n  block net 10.0.0.0/8\n }\n cache\n whoami\n}\n', 'b.org.');
    expect(acl?.blocks[0]?.fast).toContain('acl');
    const [bare] = await explain('. {\n whoami\n}\n', 'b.org.');
    expect(bare?.blocks[0]?.fast).toContain('no cache');
  });
});
