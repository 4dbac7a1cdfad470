import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorCode, errorText } from '../fault/app-error.ts';
import { compileCondition } from './compile.ts';
import type { FunctionTable } from './value.ts';

interface Person {
  readonly name: string;
  readonly age: number;
  readonly member: boolean;
}

const calls: string[] = [];
const FUNCTIONS: FunctionTable<Person> = {
  name: { parameters: [], returns: 'string', call: ({ name }) => name },
  age: { parameters: [], returns: 'number', call: ({ age }) => age },
  member: {
    parameters: [],
    returns: 'boolean',
    call({ member }) {
      calls.push('member');
      return member;
    },
  },
  older: {
    parameters: ['number', 'string'],
    returns: 'boolean',
    call: ({ age }, [limit]) => age > Number(limit),
    prepare([limit]) {
      if (limit === undefined) return undefined;
      if (Number(limit) < 0) throw new Error('nobody is younger than 0');
      return ({ age }) => age > Number(limit);
    },
  },
};

const ADA: Person = { name: 'ada', age: 36, member: true };

describe('compileCondition', () => {
  it.each([
    ['true', true],
    ['false', false],
    ['!true', false],
    ['not false', true],
    ["name() == 'ada'", true],
    ['name() == "ada"', true],
    ['name() == `ada`', true],
    ["name() != 'ada'", false],
    ['age() == 36', true],
    ['age() == 36.0', true],
    ['age() == 0x24', true],
    ['age() == 3_6', true],
    ['age() == 3.6e1', true],
    ['age() == .36e2', true],
    ['age() < 36', false],
    ['age() <= 36', true],
    ['age() > 35', true],
    ['age() >= 37', false],
    ["'b' > 'a'", true],
    ["'B' > 'a'", false],
    ['member()', true],
    ['member() == true', true],
    ["name() in ['bob', 'ada']", true],
    ["name() in ['bob']", false],
    ["name() in ['bob', 'ada',]", true],
    ['name() in []', false],
    ['age() in [1, 36]', true],
    ['true in [member()]', true],
    ["name() in [name(), 'x']", true],
    ["name() not in ['bob']", true],
    ["not (name() in ['bob'])", true],
    ["name() matches '^a.a$'", true],
    ["name() matches 'd'", true],
    ["name() matches '^b'", false],
    ["name() not matches '^b'", true],
    ["name() matches '(?i)ADA'", true],
    ["name() matches 'a' + 'd'", true],
    ["name() matches '^\\\\w+$'", true],
    ['name() matches `^\\w+$`', true],
    ["name() contains 'd'", true],
    ["name() contains 'x'", false],
    ["name() startsWith 'ad'", true],
    ["name() startsWith 'da'", false],
    ["name() endsWith 'da'", true],
    ["name() not endsWith 'da'", false],
    ["name() + '!' == 'ada!'", true],
    ['age() + 4 == 40', true],
    ['age() - 4 == 32', true],
    ['age() * 2 == 72', true],
    ['age() / 8 == 4.5', true],
    ['age() % 5 == 1', true],
    ['2 ** 3 ** 2 == 512', true],
    ['2 ^ 3 == 8', true],
    ['-2 ** 2 == -4', true],
    ['1 + 2 * 3 == 7', true],
    ['(1 + 2) * 3 == 9', true],
    ['10 - 2 - 3 == 5', true],
    ['100 / 10 / 2 == 5', true],
    ['-age() == -36', true],
    ['+age() == 36', true],
    ['--age() == 36', true],
    ['true || true && false', true],
    ['(true || true) && false', false],
    ['true or true and false', true],
    ['false or true', true],
    ['false and true', false],
    ['!false && true', true],
    ['not false and false', false],
    ['1 < 2 && 2 < 3', true],
    ['1 < 2 == true', true],
    ['age() > 30 ? member() : false', true],
    ['(age() > 30 ? 1 : 2) == 1', true],
    ['false ? false : true ? true : false', true],
    ['older(30, name())', true],
    ["older(age() + 1, 'x')", false],
    ["'it''s' == 'x'", undefined],
    ["'it\\'s' == \"it's\"", true],
    ["'\\x41\\u0042\\n' == 'AB\n'", true],
    ["'a' == 'A'", false],
    ['  \t true \n ', true],
  ])('%s is %s', (text, expected) => {
    if (expected === undefined) expect(() => compileCondition(text, FUNCTIONS)).toThrow();
    else expect(compileCondition(text, FUNCTIONS)(ADA)).toBe(expected);
  });

  it.each([
    ['', 'unexpected end: at character 1'],
    ['true true', 'unexpected true: at character 6'],
    ['(true', 'unexpected end, expected ): at character 6'],
    ['true)', 'unexpected )'],
    ["name( == 'x'", 'unexpected =='],
    ["name() = 'x'", 'unexpected =: at character 8'],
    ['true & true', 'unexpected &'],
    ['true | true', 'unexpected |'],
    ["name() == 'x", "text without its closing '"],
    ['name() == "x', 'text without its closing "'],
    ['name() == `x', 'text without its closing `'],
    ["name() == 'a\\.b'", 'unknown escape \\. in a text'],
    ["name() == '\\x4'", 'unknown escape'],
    ['name() ==', 'unexpected end'],
    ['in', 'unexpected in'],
    ['name() in', 'unexpected end'],
    ["name() not == 'x'", 'unexpected not'],
    ["['a' 'b']", "unexpected 'b', expected ,"],
    ['[,]', 'unexpected ,'],
    ['age', 'unknown name age'],
    ['nil', 'unknown name nil'],
    ['age().x', 'unexpected .'],
    ['[1][0] == 1', 'unexpected ['],
    ['true ? false', 'unexpected end, expected :'],
    ['1.2.3 == 1', 'unexpected .3'],
    ['0x == 1', 'unexpected x'],
    ['9e999 == 1', '9e999 is no number'],
    ['ü()', 'unexpected ü'],
    ['true # comment', 'unexpected #'],
    ['(((('.repeat(40), 'nested more than 100 levels deep'],
    [`${'!'.repeat(200)}true`, 'nested more than 100 levels deep'],
    [`${'1+'.repeat(1001)}1 > 0`, 'more than 1000 operators'],
    [`'${'x'.repeat(10_000)}' == 'x'`, 'longer than 10000 characters'],
  ])('cannot read %s', (text, reason) => {
    const error = failure(text);
    expect(errorText(error)).toContain(reason);
    expect(errorCode(error)).toBe('EXPRESSION_SYNTAX');
  });

  it.each([
    ['age()', 'it must be true or false, and is a number'],
    ["'x'", 'it must be true or false, and is a string'],
    ["['x']", 'and is a list of strings'],
    ['nobody()', 'unknown function nobody: at character 1'],
    ['toString()', 'unknown function toString'],
    ['name(1)', 'name takes (): received (number)'],
    ['older(1)', 'older takes (number, string): received (number)'],
    ["older('1', 'x')", 'older takes (number, string): received (string, string)'],
    ["older(-1, 'x')", 'older: nobody is younger than 0'],
    ["age() == '36'", '== cannot join a number and a string: at character 7'],
    ['name() != 1', '!= cannot join a string and a number'],
    ['name() < 1', '< cannot join a string and a number'],
    ['true < false', '< cannot join a boolean and a boolean'],
    ['[1] == [1]', '== cannot join a list of numbers and a list of numbers'],
    ['1 && true', 'and cannot join a number and a boolean'],
    ["true || 'x'", 'or cannot join a boolean and a string'],
    ['!1', 'not needs a boolean: received a number'],
    ["-'x' == 1", '- needs a number: received a string'],
    ["name() - 'x' == 'y'", '- cannot join a string and a string'],
    ['1 + true == 2', '+ cannot join a number and a boolean'],
    ["name() in 'ada'", 'in cannot join a string and a string'],
    ['name() in [1]', 'in cannot join a string and a list of numbers'],
    ["[1, 'x'] == 1", 'values of one kind: received number and string'],
    ['1 in [[1]]', 'values of one kind'],
    ['age() matches 3', 'matches cannot join a number and a number'],
    ['name() matches name()', 'the pattern of matches must not depend on the query'],
    ["name() matches '('", 'matches: '],
    ["name() matches '(?=a)'", 'matches: '],
    ['age() contains 3', 'contains cannot join a number and a number'],
    ['1 ? true : false', '? needs a boolean in front: received a number'],
    ["(true ? 1 : 'x') == 1", ': cannot join a number and a string'],
  ])('refuses %s', (text, reason) => {
    const error = failure(text);
    expect(errorText(error)).toContain(reason);
    expect(errorCode(error)).toBe('EXPRESSION_TYPE');
  });

  it('does not evaluate what cannot change the result', () => {
    calls.length = 0;
    for (const text of [
      'age() == 0 && member()',
      'age() == 36 || member()',
      'false && member()',
      'true || member()',
    ]) {
      compileCondition(text, FUNCTIONS)(ADA);
    }
    expect(calls).toEqual([]);
  });

  it('stays linear where a backtracking matcher would not', () => {
    const matches = compileCondition("name() matches '^(a+)+$'", FUNCTIONS);
    expect(matches({ ...ADA, name: `${'a'.repeat(20_000)}b` })).toBe(false);
  });

  it('takes long chains', () => {
    const text = Array.from({ length: 1001 }, () => '1').join('+');
    expect(compileCondition(`${text} > 1000`.replace('1+', ''), FUNCTIONS)(ADA)).toBe(false);
    const calling = Array.from({ length: 900 }, () => '!member()').join('||');
    expect(compileCondition(calling, FUNCTIONS)(ADA)).toBe(false);
  });

  it('says no to any other text with one of its own errors', () => {
    const word = fc.constantFrom(
      ...[
        'name()',
        'age()',
        'member()',
        "'x'",
        '1',
        '[',
        ']',
        '(',
        ')',
        ',',
        'in',
        'not',
        '!',
        '&&',
        'or',
        '==',
      ],
      ...[
        '<',
        '+',
        '-',
        '*',
        '?',
        ':',
        'matches',
        'contains',
        'true',
        'older(',
        '`',
        "'",
        '\\',
        '.',
        '#',
        '9',
      ],
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        const text = words.join(' ');
        let condition: (person: Person) => boolean;
        try {
          condition = compileCondition(text, FUNCTIONS);
        } catch (error) {
          expect(errorCode(error)).toMatch(/^EXPRESSION_/);
          return;
        }
        expect(typeof condition(ADA)).toBe('boolean');
      }),
      { numRuns: 2000 },
    );
  });
});

function failure(text: string): unknown {
  try {
    compileCondition(text, FUNCTIONS);
  } catch (error) {
    return error;
  }
  throw new Error(`it compiled: ${text}`);
}
