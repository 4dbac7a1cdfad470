// Runs in a pod: sends so many queries from one port at once, with an id each, and prints how many were answered. Plain
// JavaScript and nothing but Node: it is read by the pod's own process.
import { createSocket } from 'node:dgram';

const [server = '', name = '', count = '1', waitMs = '3000'] = process.argv.slice(2);
const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
const question = Buffer.concat([...labels, Buffer.from([0, 0, 1, 0, 1])]);
const socket = createSocket('udp4');
let answered = 0;

function end() {
  console.log(`answered ${answered}`);
  socket.close();
}

socket.on('error', () => undefined);
socket.on('message', () => {
  answered++;
  if (answered === Number(count)) {
    clearTimeout(late);
    end();
  }
});
const late = setTimeout(end, Number(waitMs));
socket.bind(0, () => {
  for (let id = 0; id < Number(count); id++) {
    const header = Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    socket.send(Buffer.concat([header, question]), 53, server);
  }
});
