/** Logs why a query failed: the error that a handler behind it gave along with its reply. The reply itself passes. */
import { typeName } from '../../dns/codes.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';

/**
 * `print` gets the error's own text, which patterns are about, and the line `<rcode> <name> <type>: <text>`. The text
 * comes from handlers, which write names in escaped form.
 */
export function errorsPlugin(print: (error: string, line: string) => void): Plugin {
  return (next) => (query) => {
    const reply = next(query);
    return reply instanceof Promise ? reply.then((late) => look(query, late)) : look(query, reply);
  };

  function look(query: Query, reply: Reply): Reply {
    if (reply.error === undefined) return reply;
    const { name, type } = query.question;
    const error = oneLine(reply.error.message);
    print(error, `${reply.rcode} ${name.toLowerCase()} ${typeName(type)}: ${error}`);
    return reply;
  }
}

/** A line break would let a text pass for log lines of its own. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}
