/** Request bodies, bounded. */
import type { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { recordOf } from '../../../kube/json-fields.ts';
import { ApiRefusal, badRequest } from '../api-refusal.ts';
import type { Manifest } from '../object-store.ts';

/** The API server's own limit. */
const BODY_MAX_BYTES = 3 * 1024 * 1024;

/** An empty body is an empty object. Throws `ApiRefusal` 400 or 413. */
export async function readJsonBody(req: IncomingMessage): Promise<Manifest> {
  const contentType = req.headers['content-type'] ?? '';
  if (contentType.includes('protobuf'))
    throw new ApiRefusal({
      status: 415,
      reason: 'UnsupportedMediaType',
      message: `the lab takes JSON only, as \`kubectl apply -f\` sends it: received ${JSON.stringify(contentType)}`,
    });
  const text = await readText(req);
  if (text.trim() === '') return {};
  try {
    return recordOf(JSON.parse(text));
  } catch (error) {
    throw badRequest(`the body of the request is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
}

async function readText(req: IncomingMessage): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_MAX_BYTES)
      throw new ApiRefusal({
        status: 413,
        reason: 'RequestEntityTooLarge',
        message: `Request entity too large: limit is ${BODY_MAX_BYTES}`,
      });
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
