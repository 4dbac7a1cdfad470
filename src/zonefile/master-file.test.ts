import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResourceRecord } from '../dns/message.ts';
import { type Name, parseName } from '../dns/name.ts';
import { fail, ok } from '../fault/result.ts';
import { MAX_GENERATED } from './generate.ts';
import {
  formatMasterFailure,
  MAX_INCLUDE_DEPTH,
  MAX_INCLUDES,
  type MasterFailure,
  type MasterFileOptions,
  readMasterFile,
} from './master-file.ts';
import { formatRecordText } from './record-text.ts';

const ORIGIN = name('example.');

function name(text: string): Name {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`not a name: ${text}`);
  return parsed;
}

interface Read {
  readonly records: readonly ResourceRecord[];
  readonly failure: MasterFailure | undefined;
}

function read(text: string, options: Partial<MasterFileOptions> = {}): Read {
  const reading = readMasterFile({ file: 'db', text }, { origin: ORIGIN, ...options });
  const records: ResourceRecord[] = [];
  let next = reading.next();
  for (; !next.done; next = reading.next()) records.push(next.value);
  return { records, failure: next.value };
}

/** `name TTL class type data` of each record; fails when the text does. */
function lines(text: string, options: Partial<MasterFileOptions> = {}): readonly string[] {
  const { records, failure } = read(text, options);
  if (failure !== undefined) throw new Error(formatMasterFailure(failure));
  return records.map(formatRecordText);
}

describe('readMasterFile reads the zone of RFC 1035 section 5.3', () => {
  it('record by record', () => {
    const mail = ['MOE       MB      A.ISI.EDU.', 'LARRY     MB      A.ISI.EDU.'].join('\n');
    const found = lines(
      `@   IN  SOA     VENERA      Action\\.domains (
                                 20     ; SERIAL
                                 7200   ; REFRESH
                                 600    ; RETRY
                                 3600000; EXPIRE
                                 60)    ; MINIMUM

        NS      A.ISI.EDU.
        NS      VENERA
        NS      VAXA
        MX      10      VENERA
        MX      20      VAXA

A       A       26.3.0.103

VENERA  A       10.1.0.52
        A       128.9.0.32

VAXA    A       10.2.0.27
        A       128.9.0.33

$INCLUDE ISI-MAILBOXES.TXT
`,
      { origin: name('ISI.EDU.'), readInclude: (file) => ok({ file, text: mail }) },
    );
    expect(found).toEqual([
      'ISI.EDU. 60 IN SOA VENERA.ISI.EDU. Action\\.domains.ISI.EDU. 20 7200 600 3600000 60',
      'ISI.EDU. 60 IN NS A.ISI.EDU.',
      'ISI.EDU. 60 IN NS VENERA.ISI.EDU.',
      'ISI.EDU. 60 IN NS VAXA.ISI.EDU.',
      'ISI.EDU. 60 IN MX 10 VENERA.ISI.EDU.',
      'ISI.EDU. 60 IN MX 20 VAXA.ISI.EDU.',
      'A.ISI.EDU. 60 IN A 26.3.0.103',
      'VENERA.ISI.EDU. 60 IN A 10.1.0.52',
      'VENERA.ISI.EDU. 60 IN A 128.9.0.32',
      'VAXA.ISI.EDU. 60 IN A 10.2.0.27',
      'VAXA.ISI.EDU. 60 IN A 128.9.0.33',
      'MOE.ISI.EDU. 60 IN MB A.ISI.EDU.',
      'LARRY.ISI.EDU. 60 IN MB A.ISI.EDU.',
    ]);
  });
});

describe('the TTL of a record', () => {
  it.each([
    { what: 'its own', text: '$TTL 1\na 2 A 10.0.0.1', ttls: [2] },
    { what: 'that of $TTL, RFC 2308 section 4', text: '$TTL 1\na 2 A 10.0.0.1\na A 10.0.0.2', ttls: [2, 1] },
    {
      what: 'without $TTL the last one, RFC 1035 section 5.1',
      text: 'a 2 A 10.0.0.1\na A 10.0.0.2',
      ttls: [2, 2],
    },
    { what: 'the newest $TTL', text: '$TTL 1\na A 10.0.0.1\n$TTL 1h\na A 10.0.0.2', ttls: [1, 3600] },
    { what: 'zero', text: '$TTL 0\na A 10.0.0.1', ttls: [0] },
    { what: 'a SOA without one has its minimum', text: '@ SOA n h 1 2 3 4 5\na A 10.0.0.1', ttls: [5, 5] },
  ])('is $what', ({ text, ttls }) => {
    expect(read(text)).toMatchObject({ failure: undefined });
    expect(read(text).records.map(({ ttlSeconds }) => ttlSeconds)).toEqual(ttls);
  });
});

/** `%{` stands for a dollar sign and a brace, which would look like a place in a template of this language. */
function dollars(text: string): string {
  return text.replaceAll('%{', '$' + '{');
}

describe('$GENERATE', () => {
  it.each([
    {
      what: 'a range',
      text: '1-3 h-$ A 10.0.0.$',
      expected: ['h-1 A 10.0.0.1', 'h-2 A 10.0.0.2', 'h-3 A 10.0.0.3'],
    },
    { what: 'a step', text: '0-5/5 $ A 10.0.0.$', expected: ['0 A 10.0.0.0', '5 A 10.0.0.5'] },
    { what: 'one number', text: '7-7 $ A 10.0.0.$', expected: ['7 A 10.0.0.7'] },
    { what: 'an offset', text: '1-1 $ A 10.0.0.%{10}', expected: ['1 A 10.0.0.11'] },
    { what: 'an offset below', text: '11-11 $ A 10.0.0.%{-10}', expected: ['11 A 10.0.0.1'] },
    { what: 'a width', text: '5-5 h%{0,3} A 10.0.0.1', expected: ['h005 A 10.0.0.1'] },
    { what: 'hexadecimal', text: '255-255 %{0,4,x} A 10.0.0.1', expected: ['00ff A 10.0.0.1'] },
    { what: 'hexadecimal in capitals', text: '255-255 %{0,0,X} A 10.0.0.1', expected: ['FF A 10.0.0.1'] },
    { what: 'octal', text: '8-8 %{0,3,o} A 10.0.0.1', expected: ['010 A 10.0.0.1'] },
    { what: 'several places', text: '1-1 $-$ A 10.0.$.$', expected: ['1-1 A 10.0.1.1'] },
    { what: 'an alias', text: '1-1 $ CNAME $.0-63', expected: ['1 CNAME 1.0-63.example.'] },
    { what: 'a dollar sign twice', text: '1-1 a$$ A 10.0.0.1', expected: ['a\\$ A 10.0.0.1'] },
    { what: 'a dollar sign behind a backslash', text: '1-1 a\\$ A 10.0.0.1', expected: ['a\\$ A 10.0.0.1'] },
    { what: 'a comment behind it', text: '1-1 $ A 10.0.0.1 ; $', expected: ['1 A 10.0.0.1'] },
  ])('makes records of $what', ({ text, expected }) => {
    const found = lines(`$TTL 5\n$GENERATE ${dollars(text)}\n`);
    expect(found).toEqual(expected.map((line) => line.replace(' ', '.example. 5 IN ')));
  });

  it('has the TTL and the class that stand in it', () => {
    expect(lines('$GENERATE 1-1 $ 30 CH A 10.0.0.1')).toEqual(['1.example. 30 CH A 10.0.0.1']);
  });

  it('makes as many records as a /16 has addresses', () => {
    expect(read(`$TTL 5\n$GENERATE 1-${MAX_GENERATED} $ A 10.0.0.1`).records).toHaveLength(MAX_GENERATED);
  });
});

describe('what is wrong in a file is told with its line', () => {
  it.each([
    { what: 'a record', text: '\n; x\na 5 A 10.0.0\n', code: 'ZONE_RDATA', line: 3 },
    { what: 'a record over several lines', text: 'a 5 TXT ( b\n c\n', code: 'ZONE_TEXT', line: 3 },
    { what: 'data on its own line', text: 'a 5 SOA n h (1\n2\nx\n4 5)', code: 'ZONE_RDATA', line: 3 },
    { what: 'a first record without a TTL', text: 'a A 10.0.0.1', code: 'ZONE_TTL', line: 1 },
    { what: 'a first record without an owner', text: '$TTL 5\n A 10.0.0.1', code: 'ZONE_NAME', line: 2 },
    { what: 'an unknown directive', text: '$DATE 1', code: 'ZONE_DIRECTIVE', line: 1 },
    { what: '$ORIGIN without a name', text: '$ORIGIN', code: 'ZONE_NAME', line: 1 },
    { what: '$ORIGIN with two', text: '$ORIGIN a b', code: 'ZONE_NAME', line: 1 },
    { what: '$TTL without a number', text: '\n$TTL', code: 'ZONE_TTL', line: 2 },
    { what: '$TTL with a word', text: '$TTL never', code: 'ZONE_TTL', line: 1 },
    { what: '$TTL beyond 2^31-1', text: '$TTL 2147483648', code: 'ZONE_TTL', line: 1 },
    { what: '$INCLUDE without a file', text: '$INCLUDE', code: 'ZONE_INCLUDE', line: 1 },
    { what: '$INCLUDE where there is no reader', text: '$INCLUDE a', code: 'ZONE_INCLUDE', line: 1 },
    { what: '$GENERATE without a record', text: '$GENERATE 1-2', code: 'ZONE_GENERATE', line: 1 },
    { what: 'a range backwards', text: '$GENERATE 2-1 $ A 10.0.0.1', code: 'ZONE_GENERATE', line: 1 },
    { what: 'a range without an end', text: '$GENERATE 2 $ A 10.0.0.1', code: 'ZONE_GENERATE', line: 1 },
    { what: 'a step of nothing', text: '$GENERATE 1-2/0 $ A 10.0.0.1', code: 'ZONE_GENERATE', line: 1 },
    { what: 'a range too long', text: '$GENERATE 0-65536 $ A 10.0.0.1', code: 'ZONE_GENERATE', line: 1 },
    {
      what: 'a range beyond measure',
      text: '$GENERATE 0-9999999999 $ A 10.0.0.1',
      code: 'ZONE_GENERATE',
      line: 1,
    },
    { what: 'a modifier of words', text: '$GENERATE 1-2 %{a} A 10.0.0.1', code: 'ZONE_GENERATE', line: 1 },
    {
      what: 'a base nobody knows',
      text: '$GENERATE 1-2 %{0,0,q} A 10.0.0.1',
      code: 'ZONE_GENERATE',
      line: 1,
    },
    { what: 'a number below zero', text: '$GENERATE 1-2 %{-5} A 10.0.0.1', code: 'ZONE_GENERATE', line: 1 },
    { what: 'a made record', text: '\n$TTL 5\n$GENERATE 1-2 $ A 10.0.0.x', code: 'ZONE_RDATA', line: 3 },
  ])('$what', ({ text, code, line }) => {
    expect(read(dollars(text)).failure).toMatchObject({ file: 'db', code, line });
  });

  it('and nothing behind it is read', () => {
    const { records } = read('$TTL 5\na A 10.0.0.1\nb A x\nc A 10.0.0.2');
    expect(records.map((record) => record.name)).toEqual(['a.example.']);
  });

  it('in an included file with that file', () => {
    const readInclude = (file: string) => ok({ file: `dir/${file}`, text: '\nx A x\n' });
    expect(read('$TTL 5\n$INCLUDE a', { readInclude }).failure).toMatchObject({ file: 'dir/a', line: 2 });
  });

  it('and a file that cannot be read where it is included', () => {
    const readInclude = () => fail('X', 0, 'it is not there');
    expect(read('\n$INCLUDE a', { readInclude }).failure).toEqual({
      code: 'ZONE_INCLUDE',
      file: 'db',
      line: 2,
      reason: 'it is not there',
    });
  });
});

describe('$INCLUDE', () => {
  it('asks with the file it stands in', () => {
    const asked: string[] = [];
    const readInclude = (path: string, from: string) => {
      asked.push(`${path} from ${from}`);
      return ok({ file: `sub/${path}`, text: path === 'a' ? '$INCLUDE b\n' : '' });
    };
    expect(lines('$INCLUDE a\n$INCLUDE "c d"', { readInclude })).toEqual([]);
    expect(asked).toEqual(['a from db', 'b from sub/a', 'c d from db']);
  });

  it('leaves origin and owner as they were', () => {
    const readInclude = (file: string) => ok({ file, text: '$ORIGIN other.\n$TTL 9\nx A 10.0.0.1\n' });
    expect(lines('$TTL 5\na A 10.0.0.2\n$INCLUDE f\n  A 10.0.0.3', { readInclude })).toEqual([
      'a.example. 5 IN A 10.0.0.2',
      'x.other. 9 IN A 10.0.0.1',
      'a.example. 5 IN A 10.0.0.3',
    ]);
  });

  it('ends where files include each other', () => {
    let reads = 0;
    const readInclude = (file: string) => {
      reads++;
      return ok({ file, text: '$INCLUDE again\n$INCLUDE again\n' });
    };
    expect(read('$INCLUDE again', { readInclude }).failure).toMatchObject({ code: 'ZONE_INCLUDE' });
    expect(reads).toBe(MAX_INCLUDE_DEPTH);
  });
});

describe('readMasterFile ends', () => {
  it('after a thousand included files, whatever they include', () => {
    let reads = 0;
    const readInclude = (file: string) => {
      reads++;
      return ok({ file, text: reads % 3 === 0 ? '$INCLUDE a\n$INCLUDE b\n' : '' });
    };
    const { failure } = read('$INCLUDE a\n'.repeat(MAX_INCLUDES + 1), { readInclude });
    expect(failure).toMatchObject({ code: 'ZONE_INCLUDE' });
    expect(reads).toBe(MAX_INCLUDES);
  });
});

describe('readMasterFile with any text', () => {
  const pieces = fc.constantFrom(
    ...[
      '$TTL 5',
      '$ORIGIN a',
      '$GENERATE 1-3 $ A 1.1.1.1',
      '$INCLUDE f',
      '\n',
      '\r\n',
      ' ',
      '\t',
      '(',
      ')',
      '"',
    ],
    ...[
      '\\',
      ';',
      '@',
      'a',
      'A 10.0.0.1',
      'IN',
      '60',
      'SOA a b 1 2 3 4 5',
      'TXT',
      '\u0000',
      'é',
      '\u2028',
      '\ud800',
    ],
  );

  it('never throws and always ends', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string())), (words) => {
        let reads = 0;
        const readInclude = (file: string) => ok({ file, text: reads++ < 9 ? words.slice(1).join(' ') : '' });
        const { failure } = read(words.join(' '), { readInclude });
        expect(failure === undefined || failure.line >= 1).toBe(true);
      }),
    );
  });

  it('reads back what it has read', () => {
    fc.assert(
      fc.property(fc.array(pieces), (words) => {
        const { records } = read(words.join(' '));
        const again = read(records.map(formatRecordText).join('\n'));
        expect(again).toEqual({ records, failure: undefined });
      }),
    );
  });
});
