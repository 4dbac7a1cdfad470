/** What templates see of a query (dns-server 3.16), under the names that CoreDNS and its DNS library give it. */
import { className, typeName } from '../../dns/codes.ts';
import type { Message, Question } from '../../dns/message.ts';
import type { Name } from '../../dns/name.ts';
import type { Query } from '../../server/handler.ts';
import { formatName } from '../../zonefile/escapes.ts';
import { formatRecordText } from '../../zonefile/record-text.ts';
import { Struct, TemplateHalt } from './text-template/value.ts';

/** The fields of the data itself. */
export const DATA_FIELDS: readonly string[] = [
  'Zone',
  'Name',
  'Regex',
  'Match',
  'Group',
  'Class',
  'Type',
  'Message',
  'Question',
  'Remote',
  'Meta',
];

/** Those that tell of the client; what others know of a query may be about who asked. */
export const CLIENT_FIELDS: readonly string[] = ['Remote', 'Meta'];

export interface Matched {
  readonly zone: Name;
  /** The query name in lower case, as it is written in records. */
  readonly name: string;
  readonly class: number;
  readonly type: number;
  readonly regex: string;
  readonly match: readonly string[];
  readonly groupNames: ReadonlyMap<string, number>;
}

export function templateData(query: Query, matched: Matched): Struct {
  const { match, groupNames } = matched;
  return new Struct('*template.templateData', {
    Zone: matched.zone,
    Name: matched.name,
    Regex: matched.regex,
    Match: match,
    Group: new Map([
      ...match.map((text, i): [string, string] => [String(i), text]),
      ...Array.from(groupNames, ([name, i]): [string, string] => [name, match[i] ?? '']),
    ]),
    Class: className(matched.class),
    Type: typeName(matched.type),
    Message: messageData(query.message),
    Question: questionData(query.question),
    Remote: query.client.address,
    Meta: (args) => {
      const [label] = args;
      if (args.length !== 1 || typeof label !== 'string')
        throw new TemplateHalt('Meta takes the name of one label');
      return query.metadata.get(label) ?? '';
    },
  });
}

function questionData(question: Question): Struct {
  return new Struct('*dns.Question', {
    Name: formatName(question.name),
    Qtype: BigInt(question.type),
    Qclass: BigInt(question.class),
  });
}

function messageData({
  id,
  opcode,
  rcode,
  flags,
  questions,
  answers,
  authorities,
  additionals,
}: Message): Struct {
  return new Struct('*dns.Msg', {
    Id: BigInt(id),
    Response: flags.response,
    Opcode: BigInt(opcode),
    Authoritative: flags.authoritative,
    Truncated: flags.truncated,
    RecursionDesired: flags.recursionDesired,
    RecursionAvailable: flags.recursionAvailable,
    Zero: flags.zero,
    AuthenticatedData: flags.authenticData,
    CheckingDisabled: flags.checkingDisabled,
    Rcode: BigInt(rcode),
    Question: questions.map(questionData),
    Answer: answers.map(formatRecordText),
    Ns: authorities.map(formatRecordText),
    Extra: additionals.map(formatRecordText),
  });
}
