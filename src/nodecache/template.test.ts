import { describe, expect, it } from 'vitest';
import { renderTemplate, type TemplateValues } from './template.ts';

const VALUES: TemplateValues = {
  localIps: ['169.254.20.10', '10.96.0.10'],
  clusterDns: '10.96.174.219',
  upstreamServers: [],
  stubDomains: new Map(),
  port: 53,
};

function render(template: string, values: Partial<TemplateValues> = {}): string {
  return renderTemplate(template, { ...VALUES, ...values }).text;
}

describe('renderTemplate', () => {
  const cases: [name: string, template: string, values: Partial<TemplateValues>, text: string][] = [
    ['the upstream service', 'forward . __PILLAR__CLUSTER__DNS__ {', {}, 'forward . 10.96.174.219 {'],
    ['no upstreams', 'forward . __PILLAR__UPSTREAM__SERVERS__', {}, 'forward . /etc/resolv.conf'],
    ['listen addresses', 'bind __PILLAR__LOCAL__DNS__', {}, 'bind 169.254.20.10 10.96.0.10'],
    ['the server word leaves a blank', 'bind 1.1.1.1 __PILLAR__DNS__SERVER__', {}, 'bind 1.1.1.1 '],
    [
      'the domain is left to deployment tools',
      '__PILLAR__DNS__DOMAIN__:53',
      {},
      '__PILLAR__DNS__DOMAIN__:53',
    ],
    ['a file replaced beforehand', 'forward . 10.96.0.3 {\n', {}, 'forward . 10.96.0.3 {\n'],
    [
      'given upstreams are asked by UDP',
      '    forward . __PILLAR__UPSTREAM__SERVERS__ {\n            force_tcp\n    }\n',
      { upstreamServers: ['8.8.8.8', '8.8.4.4'] },
      '    forward . 8.8.8.8 8.8.4.4\n',
    ],
  ];
  it.each(cases)('%s', (_name, template, values, text) => {
    expect(render(template, values)).toBe(text);
  });

  it('shows a missing upstream service', () => {
    const { clusterDns: _, ...values } = VALUES;
    expect(renderTemplate('__PILLAR__CLUSTER__DNS__', values).text).toBe('<nil>');
  });

  it('warns when the block that forces TCP is not there', () => {
    const template = 'forward . __PILLAR__UPSTREAM__SERVERS__ { }';
    const { text, warnings } = renderTemplate(template, { ...VALUES, upstreamServers: ['8.8.8.8'] });
    expect(text).toBe('forward . 8.8.8.8 { }');
    expect(warnings).toEqual([
      'Did not find TCP upstream block to replace, assuming upstreams already use UDP.',
    ]);
  });

  it('adds a block for each stub domain, in the order of their names', () => {
    const stubDomains = new Map([
      ['b.test', ['10.0.0.2:53']],
      ['a.test', ['10.0.0.1', '10.0.0.3']],
    ]);
    expect(render('', { stubDomains })).toBe(
      [
        '\na.test:53 {\n    errors\n    cache 30\n    bind 169.254.20.10 10.96.0.10\n    forward . 10.0.0.1 10.0.0.3\n}\n',
        '\nb.test:53 {\n    errors\n    cache 30\n    bind 169.254.20.10 10.96.0.10\n    forward . 10.0.0.2:53\n}\n',
      ].join(''),
    );
  });
});
