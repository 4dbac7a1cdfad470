import { describe, expect, it } from 'vitest';
import { AppError } from '../../fault/app-error.ts';
import { createHeardLog } from '../testing/scripted-server.ts';
import { createOutageLog } from './outage-log.ts';

const AWAY = new AppError('KUBE_UNREACHABLE', 'connection refused');
const FORBIDDEN = new AppError('KUBE_FORBIDDEN', 'not for you');

function listen() {
  const log = createHeardLog();
  return { lines: log.lines, outage: createOutageLog(log) };
}

describe('createOutageLog', () => {
  it('tells of an API server that is away once, and once that it is back', () => {
    const { lines, outage } = listen();
    for (let attempt = 0; attempt < 5; attempt++) {
      for (const resource of ['pods', 'services']) outage.failed(resource, AWAY);
    }
    expect(lines).toEqual(['warning watch of pods: connection refused']);
    outage.works('services');
    expect(lines).toHaveLength(1);
    outage.works('pods');
    outage.works('pods');
    expect(lines.slice(1)).toEqual(['info the API server answers again']);
  });

  it('tells of each collection that is refused, and of each new outage', () => {
    const { lines, outage } = listen();
    for (const resource of ['pods', 'services']) {
      outage.failed(resource, FORBIDDEN);
      outage.failed(resource, FORBIDDEN);
    }
    outage.works('pods');
    outage.failed('pods', FORBIDDEN);
    expect(lines).toEqual([
      'warning watch of pods: not for you',
      'warning watch of services: not for you',
      'info watch of pods works again',
      'warning watch of pods: not for you',
    ]);
  });

  it('tells what a loss turned out to be', () => {
    const { lines, outage } = listen();
    for (const resource of ['pods', 'services']) outage.broke(resource, 'other side closed');
    for (const resource of ['pods', 'services']) outage.failed(resource, AWAY);
    for (const resource of ['pods', 'services']) outage.works(resource);
    expect(lines).toEqual([
      'warning watch of pods broke: other side closed',
      'warning watch of pods: connection refused',
      'info the API server answers again',
    ]);
  });
});
