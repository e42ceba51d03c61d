import { ERROR, type ErrorCode, FLAG, FRAME, FRAME_HEAD_BYTES, MAX_FRAME_BYTES } from './frames.ts'
import { DEFAULT_WINDOW, MAX_WINDOW } from './windows.ts'

/** RFC 9113 section 6.5.2. */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const

const ENTRY_BYTES = 6
/** Of a table, until somebody says otherwise (RFC 9113 section 6.5.2). */
export const TABLE_BYTES = 4_096
const LARGEST_FRAME = 0xffffff

/** What the peer has asked for, as far as it concerns us. */
export class PeerSettings {
  maxConcurrentStreams: number = Number.POSITIVE_INFINITY
  initialWindow: number = DEFAULT_WINDOW
  maxHeaderListBytes: number = Number.POSITIVE_INFINITY
  /** The smallest that it has asked for. Our blocks need none. */
  smallestTableBytes: number = TABLE_BYTES

  /** `isServer`: who has sent them. */
  read(buffer: Buffer, start: number, end: number, isServer: boolean): ErrorCode {
    if ((end - start) % ENTRY_BYTES !== 0) return ERROR.frameSize
    for (let at = start; at < end; at += ENTRY_BYTES) {
      const error = this.#set(buffer.readUInt16BE(at), buffer.readUInt32BE(at + 2), isServer)
      if (error !== ERROR.none) return error
    }
    return ERROR.none
  }

  #set(setting: number, value: number, isServer: boolean): ErrorCode {
    switch (setting) {
      case SETTING.headerTableSize:
        this.smallestTableBytes = Math.min(this.smallestTableBytes, value)
        return ERROR.none
      case SETTING.enablePush:
        return value > (isServer ? 0 : 1) ? ERROR.protocol : ERROR.none
      case SETTING.maxConcurrentStreams:
        this.maxConcurrentStreams = value
        return ERROR.none
      case SETTING.initialWindowSize:
        if (value > MAX_WINDOW) return ERROR.flowControl
        this.initialWindow = value
        return ERROR.none
      case SETTING.maxFrameSize:
        if (value < MAX_FRAME_BYTES || value > LARGEST_FRAME) return ERROR.protocol
        // Ours are never larger than what anybody takes.
        return ERROR.none
      case SETTING.maxHeaderListSize:
        this.maxHeaderListBytes = value
        return ERROR.none
      // What is unknown is ignored (RFC 9113 section 6.5.2).
      default:
        return ERROR.none
    }
  }
}

/** A whole SETTINGS frame. */
export function encodeSettings(settings: readonly (readonly [setting: number, value: number])[]): Buffer {
  const frame = Buffer.alloc(FRAME_HEAD_BYTES + settings.length * ENTRY_BYTES)
  frame.writeUIntBE(settings.length * ENTRY_BYTES, 0, 3)
  frame[3] = FRAME.settings
  settings.forEach(([setting, value], index) => {
    const at = FRAME_HEAD_BYTES + index * ENTRY_BYTES
    frame.writeUInt16BE(setting, at)
    frame.writeUInt32BE(value, at + 2)
  })
  return frame
}

/** A whole frame without a stream and with that payload, as PING and the acknowledgements are. */
export function encodeAck(type: number, payload: Buffer): Buffer {
  const frame = Buffer.alloc(FRAME_HEAD_BYTES + payload.length)
  frame.writeUIntBE(payload.length, 0, 3)
  frame[3] = type
  frame[4] = FLAG.ack
  payload.copy(frame, FRAME_HEAD_BYTES)
  return frame
}
