/** Where an address of this node lives, and what is said when nobody can tell. Values only. */
import { AppError } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import { DATAPATH_ERRORS } from '../errors.ts';

export interface Location {
  /** Host-side interface; 0 when the address is the node's own. */
  readonly ifindex: number;
  readonly ifname: string;
  /** As the node's namespace knows the pod's; negative for its own. */
  readonly netnsId: number;
}

/** An address of the node itself: there is no interface to hang on, sockets are looked for in our own namespace. */
export const OWN_NAMESPACE: Location = { ifindex: 0, ifname: '', netnsId: -1 };

/** `received` is what was found in the place of a pod's veth. */
export function noInterface(address: Ip, reason: string, received: string): AppError {
  const message = `Cannot find the interface of ${address}: ${reason}: received ${received}`;
  return new AppError('DATAPATH_NO_INTERFACE', message, { hint: DATAPATH_ERRORS.DATAPATH_NO_INTERFACE.cure });
}
