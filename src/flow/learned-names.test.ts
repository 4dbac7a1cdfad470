import { describe, expect, it } from 'vitest';
import { LearnedNames } from './learned-names.ts';
import { ip } from './testing/sample-cluster.ts';
import { ANSWER, CACHE, CLIENT, packet, peer, VIP } from './testing/sample-packet.ts';
import { TestNode } from './testing/test-node.ts';

const [pod, other] = [ip('172.20.1.5'), ip('172.20.1.6')];
const web = ip('192.0.2.1');

describe('LearnedNames', () => {
  it('keeps the latest names of an address, of each client by itself', () => {
    const names = new LearnedNames();
    for (const name of ['A.example.', 'b.example.', 'a.EXAMPLE.']) names.learn(pod, name, [web]);
    expect(names.namesOf(pod, web)).toEqual(['a.example', 'b.example']);
    expect(names.namesOf(other, web)).toEqual([]);
  });

  it('forgets what was learned first when there is too much of it', () => {
    const names = new LearnedNames();
    names.learn(pod, 'first.example.', [web]);
    for (let n = 0; n < 9000; n++) names.learn(pod, `n${n}.example.`, [`10.0.${n >> 8}.${n & 255}`]);
    expect(names.namesOf(pod, web)).toEqual([]);
    expect(names.namesOf(pod, ip('10.0.35.39'))).toEqual(['n8999.example']);
  });
});

describe('a node that is told of other ports than those of DNS', () => {
  const answered = packet({
    ...{ verdict: 'restored', translated: VIP, deliveredIfindex: 7, ifindex: 9 },
    ...{ source: CACHE, destination: CLIENT, payload: ANSWER },
  });
  const visit = packet({
    protocol: 'TCP',
    tcpFlags: 2,
    destination: peer('142.250.196.110', 443),
    payload: new Uint8Array(),
  });

  it('names the addresses that a client was told', () => {
    const node = new TestNode('k8s-w1', { flowPorts: [53, 443] });
    node.see(answered);
    expect(node.see(visit)[0]?.destination_names).toEqual(['google.com']);
    const back = packet({ ...visit, hook: 'to-endpoint', source: visit.destination, destination: CLIENT });
    expect(node.see(back)[0]?.source_names).toEqual(['google.com']);
  });

  it('names those that the kernel told it, too', () => {
    const node = new TestNode('k8s-w1', { flowPorts: [53, 443] });
    node.see(packet({ verdict: 'answered', payload: ANSWER, tookNs: 900 }));
    expect(node.see(visit)[0]?.destination_names).toEqual(['google.com']);
  });

  it('learns nothing where nobody could tell of it', () => {
    const node = new TestNode();
    node.see(answered);
    expect(node.see(visit)[0]).not.toHaveProperty('destination_names');
  });
});
