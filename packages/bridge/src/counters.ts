/** What a bridge counts. */

/** Messages and their bytes. */
export interface Traffic {
  messages: number;
  bytes: number;
}

export interface BridgeCounters {
  /** Sessions that are open now, were opened, were refused, and ended with an error. */
  open: number;
  opened: number;
  refused: number;
  failed: number;
  /** Of sessions that have ended. */
  toService: Traffic;
  toClient: Traffic;
}
