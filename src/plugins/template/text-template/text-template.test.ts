import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { compileTemplate } from './text-template.ts';
import { Struct } from './value.ts';

const FIELDS = ['Name', 'Zone', 'Match', 'Group', 'Question', 'List', 'Empty', 'N', 'Meta'];
const DATA = new Struct('*data', {
  Name: 'web.example.',
  Zone: 'example.',
  Match: ['ip-10-0', '10', '0'],
  Group: new Map([
    ['a', '10'],
    ['b', '0'],
  ]),
  Question: new Struct('*dns.Question', { Name: 'WEB.example.', Qtype: 1n }),
  List: ['x', 'y', 'z'],
  Empty: [],
  N: 5n,
  Meta: ([label]) => (label === 'k/ns' ? 'default' : ''),
});

function run(source: string): string {
  const compiled = compileTemplate(source, FIELDS);
  if (!compiled.ok) throw new Error(`${compiled.offset}: ${compiled.reason}`);
  const result = compiled.value.execute(DATA);
  return result.ok ? result.value : `ERROR ${result.reason}`;
}

/** Expectations are what Go 1.22's text/template documents, not what this implementation printed. */
describe('a template', () => {
  test.each([
    { source: 'plain text', gives: 'plain text' },
    { source: '', gives: '' },
    { source: '{{ .Name }} 60 IN A {{ .Group.a }}.{{.Group.b}}', gives: 'web.example. 60 IN A 10.0' },
    { source: '{{ .Question }}{{/* a comment */}}', gives: '{WEB.example. 1}' },
    { source: '{{ .Match }}{{ .Group }}', gives: '[ip-10-0 10 0]map[a:10 b:0]' },
    { source: 'a {{- /* trimmed */ -}} b', gives: 'ab' },
    { source: 'a {{- .Zone -}} \n b', gives: 'aexample.b' },
    { source: 'a {{ -3 }} b', gives: 'a -3 b' },
    { source: '{{23 -}} < {{- 45}}', gives: '23<45' },
    { source: '{{ index .Match 1 }}', gives: '10' },
    { source: '{{ index .Group "a" }}', gives: '10' },
    { source: '{{ index .Group "missing" }}', gives: '' },
    { source: '{{ .Group.missing }}', gives: '<no value>' },
    { source: '{{ .Question.Name }}/{{ .Question.Qtype }}', gives: 'WEB.example./1' },
    { source: '{{ .Meta "k/ns" }}', gives: 'default' },
    { source: '{{ "k/ns" | .Meta }}', gives: 'default' },
    { source: '{{ printf "%s-%d" .Name 7 }}', gives: 'web.example.-7' },
    { source: '{{ .Name | printf "%s-%s" "a" }}', gives: 'a-web.example.' },
    {
      source: '{{ printf "%03d|%-4s|%4s|%x|%X|%q|%v|%%" 7 "a" "b" 255 "hi" "c" 3 }}',
      gives: '007|a   |   b|ff|6869|"c"|3|%',
    },
    { source: '{{ printf "%d" "x" }}', gives: '%!d(string=x)' },
    { source: '{{ printf "%d" }}', gives: '%!d(MISSING)' },
    { source: '{{ printf "a" 1 }}', gives: 'a%!(EXTRA int=1)' },
    { source: '{{ printf "%.2f %t %c %U" 1.5 true 65 1 }}', gives: '1.50 true A %!U(int=1)' },
    { source: '{{ print 1 2 "a" "b" 3 }}', gives: '1 2ab3' },
    { source: '{{ println "a" 1 }}', gives: 'a 1\n' },
    { source: '{{ len .Match }}{{ len .Name }}{{ len .Group }}', gives: '3122' },
    { source: '{{ slice .Name 0 3 }} {{ slice .Name 4 }}', gives: 'web example.' },
    { source: '{{ index .Name 0 }}', gives: '119' },
    { source: '{{ parseInt "7b" 16 8 }}', gives: '123' },
    { source: '{{ parseInt "18446744073709551615" 10 64 }}', gives: '18446744073709551615' },
    { source: '{{ parseInt "0x1f" 0 0 }}', gives: '31' },
    { source: '{{ if .Name }}yes{{ else }}no{{ end }}', gives: 'yes' },
    { source: '{{ if .Empty }}yes{{ else }}no{{ end }}', gives: 'no' },
    { source: '{{ if eq .N 4 }}4{{ else if eq .N 5 }}5{{ else }}?{{ end }}', gives: '5' },
    { source: '{{ if and .Name (not .Empty) }}a{{ end }}{{ if or .Empty .Name }}b{{ end }}', gives: 'ab' },
    { source: '{{ and 0 (index .List 9) }}{{ or 1 (index .List 9) }}', gives: '01' },
    {
      source: '{{ eq "a" "b" "a" }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt "b" "a" }} {{ ge 1 2 }}',
      gives: 'true true true true true false',
    },
    { source: '{{ range .List }}[{{ . }}]{{ end }}', gives: '[x][y][z]' },
    { source: '{{ range $i, $x := .List }}{{ $i }}{{ $x }}{{ end }}', gives: '0x1y2z' },
    { source: '{{ range $x := .List }}{{ $x }}{{ $.Zone }}{{ end }}', gives: 'xexample.yexample.zexample.' },
    { source: '{{ range $k, $v := .Group }}{{ $k }}={{ $v }};{{ end }}', gives: 'a=10;b=0;' },
    { source: '{{ range .Empty }}x{{ else }}none{{ end }}', gives: 'none' },
    { source: '{{ range .List }}{{ if eq . "y" }}{{ continue }}{{ end }}{{ . }}{{ end }}', gives: 'xz' },
    { source: '{{ range .List }}{{ if eq . "y" }}{{ break }}{{ end }}{{ . }}{{ end }}', gives: 'x' },
    { source: '{{ range 3 }}{{ . }}{{ end }}', gives: '012' },
    { source: '{{ with .Question }}{{ .Name }}{{ end }}', gives: 'WEB.example.' },
    { source: '{{ with .Empty }}x{{ else }}{{ .Zone }}{{ end }}', gives: 'example.' },
    { source: '{{ with $x := .N }}{{ $x }}{{ . }}{{ end }}', gives: '55' },
    { source: '{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}', gives: '2' },
    { source: '{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}', gives: '21' },
    { source: '{{ $q := .Question }}{{ $q.Name }}', gives: 'WEB.example.' },
    { source: '{{ (index .Match 0) }}{{ (.Question).Name }}', gives: 'ip-10-0WEB.example.' },
    { source: '{{ `raw "text"` }}{{ "a\\tb\\u0041" }}', gives: 'raw "text"a\tbA' },
    { source: '{{ .Name | len | printf "%d!" }}', gives: '12!' },
    { source: "{{ 0x10 }} {{ 1.5 }} {{ true }} {{ 'a' }} {{ 1_000 }}", gives: '16 1.5 true 97 1000' },
    { source: '{{ index .List 9 }}', gives: 'ERROR error calling index: index out of range: 9' },
    {
      source: '{{ parseInt "x" 10 8 }}',
      gives: 'ERROR error calling parseInt: strconv.ParseUint: parsing "x": invalid syntax',
    },
    {
      source: '{{ parseInt "256" 10 8 }}',
      gives: 'ERROR error calling parseInt: strconv.ParseUint: parsing "256": value out of range',
    },
    { source: '{{ eq 1 "1" }}', gives: 'ERROR error calling eq: incompatible types for comparison' },
    { source: '{{ .Question.Nosuch }}', gives: "ERROR can't evaluate field Nosuch in type *dns.Question" },
    { source: '{{ .Name 1 }}', gives: "ERROR can't give argument to non-function Name" },
    { source: '{{ len .N }}', gives: 'ERROR error calling len: len of type int' },
    { source: '{{ not }}', gives: 'ERROR wrong number of args for not: want 1 got 0' },
  ])('$source', ({ source, gives }) => {
    expect(run(source)).toBe(gives);
  });
});

describe('a template is refused before any query', () => {
  test.each([
    { source: '{{ .Name', offset: 8, reason: 'unclosed action' },
    { source: '{{ "a }}', offset: 2, reason: 'unterminated quoted string' },
    { source: '{{ .Nosuch }}', offset: 3, reason: "can't evaluate field Nosuch" },
    { source: '{{ $.Nosuch }}', offset: 3, reason: "can't evaluate field Nosuch" },
    { source: '{{ $x }}', offset: 3, reason: 'undefined variable "$x"' },
    { source: '{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}', offset: 38, reason: 'undefined variable "$x"' },
    { source: '{{ nosuch 1 }}', offset: 3, reason: 'function "nosuch" not defined' },
    { source: '{{ html "a" }}', offset: 3, reason: 'function "html" is not supported by this server' },
    { source: '{{ define "x" }}{{ end }}', offset: 0, reason: '{{define}} is not supported by this server' },
    { source: '{{ if true }}', offset: 0, reason: '{{if}} without {{end}}' },
    { source: '{{ end }}', offset: 0, reason: 'unexpected {{end}}' },
    { source: '{{ else }}', offset: 0, reason: 'unexpected {{else}}' },
    { source: '{{ }}', offset: 0, reason: 'missing value for command' },
    { source: '{{ (1 }}', offset: 3, reason: 'unclosed left paren' },
    { source: '{{ 1 2 }}', offset: 3, reason: "can't give an argument to what is no function" },
    { source: '{{ .Name ! }}', offset: 8, reason: 'unexpected "!" in command' },
    { source: '{{ break }}', offset: 0, reason: '{{break}} outside {{range}}' },
    { source: '{{/* a }}', offset: 2, reason: 'unclosed comment' },
    { source: '{{ "\\z" }}', offset: 3, reason: 'bad literal' },
    { source: `${'{{ if 1 }}'.repeat(200)}`, offset: 990, reason: 'more than 100 levels of nesting' },
    { source: `{{ ${'('.repeat(200)} }}`, offset: 102, reason: 'more than 100 levels of nesting' },
    { source: 'x'.repeat(70_000), offset: 65_536, reason: 'the template is too long' },
  ])('$reason at $offset', ({ source, offset, reason }) => {
    const compiled = compileTemplate(source, FIELDS);
    expect(compiled).toMatchObject({ ok: false, code: 'TEMPLATE_SYNTAX', offset });
    expect(compiled.ok ? '' : compiled.reason).toContain(reason);
  });
});

describe('a template is bounded', () => {
  test.each([
    { what: 'steps', source: '{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}', reason: 'steps' },
    {
      what: 'output',
      source: '{{ range 1000 }}{{ printf "%1024d" . }}{{ end }}',
      reason: 'characters of output',
    },
    {
      what: 'texts that double',
      source: '{{ $x := "aaaa" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}',
      reason: 'characters of output',
    },
    { what: 'widths', source: '{{ printf "%1000000d" 1 }}', reason: 'width beyond' },
  ])('in $what', ({ source, reason }) => {
    expect(run(source)).toContain(reason);
  });

  it('and never throws, whatever its text', () => {
    const words = fc.constantFrom(
      '{{',
      '}}',
      '{{-',
      '-}}',
      ' ',
      '.',
      '.Name',
      '$',
      '$x',
      ':=',
      '=',
      '|',
      '(',
      ')',
      'if',
      'else',
      'end',
      'range',
      'with',
      'index',
      'printf',
      '"%d"',
      '1',
      '"',
      '`',
      '/*',
      '*/',
      ',',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string()), { maxLength: 30 }), (pieces) => {
        const compiled = compileTemplate(pieces.join(''), FIELDS);
        if (compiled.ok) compiled.value.execute(DATA);
      }),
      { numRuns: 2000 },
    );
  });
});
