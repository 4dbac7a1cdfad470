import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../fault/app-error.ts';
import type { Corefile } from './ast.ts';
import { parseCorefile } from './parser.ts';

const KNOWN = new Set([
  'errors',
  'log',
  'health',
  'ready',
  'kubernetes',
  'prometheus',
  'forward',
  'cache',
  'loop',
]);
for (const word of ['reload', 'loadbalance', 'bind', 'whoami', 'hosts', 'template']) KNOWN.add(word);

/** Files by absolute path; the main file stands in `/etc/coredns`. */
function parse(text: string, files: Record<string, string> = {}, env: Record<string, string> = {}): Corefile {
  return parseCorefile(text, {
    file: '/etc/coredns/Corefile',
    env,
    knownPlugins: KNOWN,
    sources: {
      readFile(path) {
        const found = files[path];
        if (found !== undefined) return found;
        throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
      },
      glob(pattern) {
        const [head = '', tail = ''] = pattern.split('*');
        return Object.keys(files).filter((path) => path.startsWith(head) && path.endsWith(tail));
      },
    },
  });
}

/** The structure without positions: `[keys, [word args… {option args; …}]…]`. */
function shape(corefile: Corefile): unknown {
  const words = (tokens: readonly { text: string }[]) => tokens.map((token) => token.text);
  return corefile.blocks.map((block) => ({
    keys: words(block.keys),
    directives: block.directives.map(({ name, args, body }) => {
      const options = body?.map((option) => words([option.name, ...option.args]).join(' '));
      return [...words([name, ...args]), ...(options === undefined ? [] : [options])];
    }),
  }));
}

/** The Corefile of the first field report, as printed there. */
const STOCK = `.:53 {              # 모든 도메인 요청을 53포트에서 수신
    errors          # DNS 응답 중 에러가 발생할 경우 로그 출력
    health {        # health 엔드포인트를 제공하여 상태 확인 가능
       lameduck 5s  # 종료 시 5초간 lameduck 모드로 트래픽을 점차 줄이며 종료
    }
    ready           # ready 엔드포인트 제공, 8181 포트의 HTTP 엔드포인트가, 모든 플러그인이 준비되었다는 신호를 보내면 200 OK 를 반환
    kubernetes cluster.local in-addr.arpa ip6.arpa {    # Kubernetes DNS 플러그인 설정(클러스터 내부 도메인 처리), cluster.local: 클러스터 도메인
       pods insecure                         # 파드 IP로 DNS 조회 허용 (보안 없음)
       fallthrough in-addr.arpa ip6.arpa     #  해당 도메인에서 결과 없으면 다음 플러그인으로 전달
       ttl 30                                #  캐시 타임 (30초)
    }
    prometheus :9153 # Prometheus metrics 수집 가능
    forward . /etc/resolv.conf {             # CoreDNS가 모르는 도메인은 지정된 업스트림(보통 외부 DNS)으로 전달, .: 모든 쿼리
       max_concurrent 1000                   # 병렬 포워딩 최대 1000개
    }
    cache 30 {                        # DNS 응답 캐시 기능, 기본 캐시 TTL 30초
       disable success cluster.local  # 성공 응답 캐시 안 함 (cluster.local 도메인)
       disable denial cluster.local   # NXDOMAIN 응답도 캐시 안 함
    } 
    loop         # 간단한 전달 루프(loop)를 감지하고, 루프가 발견되면 CoreDNS 프로세스를 중단(halt).
    reload       # Corefile 이 변경되었을 때 자동으로 재적용, 컨피그맵 설정을 변경한 후에 변경 사항이 적용되기 위하여 약 2분정도 소요.
    loadbalance  # 응답에 대하여 A, AAAA, MX 레코드의 순서를 무작위로 선정하는 라운드-로빈 DNS 로드밸런서.
}
`;

describe('parseCorefile', () => {
  it('reads the stock Kubernetes Corefile, comments and all', () => {
    expect(shape(parse(STOCK))).toEqual([
      {
        keys: ['.:53'],
        directives: [
          ['errors'],
          ['health', ['lameduck 5s']],
          ['ready'],
          [
            'kubernetes',
            'cluster.local',
            'in-addr.arpa',
            'ip6.arpa',
            ['pods insecure', 'fallthrough in-addr.arpa ip6.arpa', 'ttl 30'],
          ],
          ['prometheus', ':9153'],
          ['forward', '.', '/etc/resolv.conf', ['max_concurrent 1000']],
          ['cache', '30', ['disable success cluster.local', 'disable denial cluster.local']],
          ['loop'],
          ['reload'],
          ['loadbalance'],
        ],
      },
    ]);
  });

  const accepted: [name: string, text: string, expected: unknown][] = [
    ['no braces', '.:53\nerrors\nlog', [{ keys: ['.:53'], directives: [['errors'], ['log']] }]],
    ['keys alone', 'example.org', [{ keys: ['example.org'], directives: [] }]],
    ['nothing', '# only a comment\n', []],
    [
      'several keys, a comma going on to the next line',
      'a.org, b.org,\nc.org {\n errors\n}',
      [{ keys: ['a.org', 'b.org', 'c.org'], directives: [['errors']] }],
    ],
    [
      'a repeated directive',
      '. {\n log a.org\n errors\n log b.org\n}',
      [{ keys: ['.'], directives: [['log', 'a.org'], ['errors'], ['log', 'b.org']] }],
    ],
    ['an empty body', '. {\n health {\n }\n}', [{ keys: ['.'], directives: [['health', []]] }]],
    [
      'a quoted argument over lines does not end its line',
      '. {\n template "a\nb" c\n errors\n}',
      [{ keys: ['.'], directives: [['template', 'a\nb', 'c'], ['errors']] }],
    ],
    [
      'import as an argument is a word',
      '. {\n forward . import\n}',
      [{ keys: ['.'], directives: [['forward', '.', 'import']] }],
    ],
    [
      'a snippet at directive and at option level',
      '(s) {\n errors\n}\n(o) {\n  lameduck 5s\n}\n. {\n import s\n health {\n  import o\n }\n log\n}',
      [{ keys: ['.'], directives: [['errors'], ['health', ['lameduck 5s']], ['log']] }],
    ],
  ];
  it.each(accepted)('accepts %s', (_name, text, expected) => {
    expect(shape(parse(text))).toEqual(expected);
  });

  const FILE = '/etc/coredns/Corefile';
  const parsing = (line: number, reason: string) => `${FILE}:${line} - Error during parsing: ${reason}`;
  const expecting = (line: number, found: string, wanted: string) =>
    `${FILE}:${line} - Syntax error: Unexpected token '${found}', expecting '${wanted}'`;
  const refused: [name: string, text: string, message: string][] = [
    ['an unknown directive', '. {\n nosuch\n}', parsing(2, `Unknown directive 'nosuch'`)],
    ['a doubled brace', '. {\n }}\n}', parsing(2, `Unknown directive '}}'`)],
    ['an open body at the end', '. {\n health {\n  lameduck 5s\n', parsing(3, 'Unexpected EOF')],
    ['a missing closing brace', '. {\n errors\n', expecting(2, 'errors', '}')],
    ['a comma with nothing after', 'a.org,', parsing(1, 'Unexpected EOF')],
    [
      'a comma before the brace',
      'a.org, {\n}',
      parsing(1, `Expected another address but had '{' - check for extra comma`),
    ],
    ['a stray brace', '. {\n errors }\n', parsing(2, `Unexpected '}' because no matching opening brace`)],
    [
      'an import of nothing',
      '. {\n import\n}',
      parsing(2, `Wrong argument count or unexpected line ending after 'import'`),
    ],
    [
      'an import with arguments',
      '. {\n import a b\n}',
      parsing(2, 'Import takes only one argument (glob pattern or file)'),
    ],
    ['an import of an empty path', '. {\n import ""\n}', parsing(2, 'Import requires a non-empty filepath')],
    [
      'two wildcards',
      '. {\n import */*\n}',
      parsing(2, 'Glob pattern may only contain one wildcard (*), but has others: */*'),
    ],
    ['a missing import', '. {\n import nosuch\n}', parsing(2, 'File to import not found: nosuch')],
    [
      'a snippet defined twice',
      '(a) {\n errors\n}\n(a) {\n log\n}',
      parsing(4, 'redeclaration of previously declared snippet a'),
    ],
    ['a snippet without braces', '(a)\n errors', expecting(2, 'errors', '{')],
    [
      'a snippet that brings itself',
      '(a) {\n import a\n}\n. {\n import a\n}',
      parsing(2, 'maximum snippet import depth (10000) exceeded'),
    ],
    [
      'a body on a line of its own',
      '. {\n health\n {\n }\n}',
      parsing(3, `Unexpected token '{', expecting argument`),
    ],
    [
      'nested bodies',
      '. {\n health {\n a {\n }\n }\n}',
      parsing(3, `Unexpected token '{', expecting argument`),
    ],
  ];
  it.each(refused)('refuses %s', (_name, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('suggests the word that was meant and shows the line', () => {
    try {
      parse('. {\n  froward . 1.1.1.1\n}');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      expect((error as AppError).hint).toBe("Column 3 of: froward . 1.1.1.1; did you mean 'forward'?");
    }
  });

  it('imports files by pattern in lexical order, relative to the importing file', () => {
    const files = {
      '/etc/coredns/custom/b.override': 'log',
      '/etc/coredns/custom/a.override': 'errors\nimport deeper/x.conf',
      '/etc/coredns/custom/deeper/x.conf': 'loop',
      '/etc/coredns/custom/z.server': 'example.org {\n whoami\n}',
    };
    const text = '. {\n import custom/*.override\n cache\n}\nimport custom/*.server\n';
    expect(shape(parse(text, files))).toEqual([
      { keys: ['.'], directives: [['errors'], ['loop'], ['log'], ['cache']] },
      { keys: ['example.org'], directives: [['whoami']] },
    ]);
  });

  it('only warns when a pattern matches nothing', () => {
    const corefile = parse('. {\n import custom/*.override\n errors\n}');
    expect(corefile.warnings).toEqual(['No files matching import glob pattern: custom/*.override']);
    expect(shape(corefile)).toEqual([{ keys: ['.'], directives: [['errors']] }]);
  });

  it('stops at a file that imports itself', () => {
    const files = { '/etc/coredns/x': 'import x\n' };
    expect(() => parse('. {\n import x\n}', files)).toThrow(
      '/etc/coredns/x:1 - Error during parsing: maximum file import depth (10000) exceeded',
    );
  });

  it('names the imported file in errors', () => {
    expect(() => parse('. {\n import x\n}', { '/etc/coredns/x': '\n nosuch' })).toThrow(
      `/etc/coredns/x:2 - Error during parsing: Unknown directive 'nosuch'`,
    );
  });

  it('replaces environment variables in keys, words and arguments', () => {
    const env = { ZONE: 'example.org', WORD: 'forward', TO: '10.0.0.1' };
    const corefile = parse('{$ZONE}:53 {\n {$WORD} . {%TO%}:{$NOSUCH}53\n}', {}, env);
    expect(shape(corefile)).toEqual([
      { keys: ['example.org:53'], directives: [['forward', '.', '10.0.0.1:53']] },
    ]);
  });

  it('parses any text or refuses it with an AppError', () => {
    const word = fc.constantFrom(
      '.',
      'a.org,',
      '{',
      '}',
      'import',
      'errors',
      'health',
      '"',
      '\n',
      '#',
      '(s)',
      's',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        try {
          return parse(words.join(' ')).hash.length === 128;
        } catch (error) {
          return error instanceof AppError;
        }
      }),
    );
  });
});
