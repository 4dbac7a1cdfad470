/** Records as one line of text, the way the case files write them: `owner ttl TYPE data`. For tests. */
import { TYPE, typeName } from '../../../dns/codes.ts';
import type { ResourceRecord } from '../../../dns/message.ts';
import { recordAddress } from '../../../dns/rdata/address.ts';
import { readSoa } from '../../../dns/rdata/soa.ts';
import { readSrv } from '../../../dns/rdata/srv.ts';
import { recordTarget } from '../../../dns/rdata/target.ts';
import { readTxt } from '../../../dns/rdata/text.ts';

export function recordText(record: ResourceRecord): string {
  return `${record.name} ${record.ttlSeconds} ${typeName(record.type)} ${dataText(record)}`;
}

function dataText(record: ResourceRecord): string {
  switch (record.type) {
    case TYPE.SRV: {
      const srv = readSrv(record);
      return `${srv?.priority} ${srv?.weight} ${srv?.port} ${srv?.target}`;
    }
    case TYPE.SOA: {
      const soa = readSoa(record);
      const timers = `${soa?.refreshSeconds} ${soa?.retrySeconds} ${soa?.expireSeconds} ${soa?.minimumSeconds}`;
      return `${soa?.mname} ${soa?.rname} ${soa?.serial} ${timers}`;
    }
    case TYPE.TXT:
      return (readTxt(record) ?? []).map((text) => JSON.stringify(text)).join(' ');
    default:
      return recordAddress(record) ?? recordTarget(record) ?? 'unreadable';
  }
}
