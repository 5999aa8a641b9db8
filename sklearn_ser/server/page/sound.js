// Files of audio: what the server reads as it is, what only a browser decodes, and WAV.
const ASCII = (bytes, from, to) => String.fromCharCode(...bytes.slice(from, to));
const MOST_DECODED = 300e6; // bytes of a file that is decoded here: memory is not endless

// Whether the server knows this kind of file, by its first bytes.
export async function isServed(file) {
  const bytes = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const head = ASCII(bytes, 0, 4), form = ASCII(bytes, 8, 12);
  return ["fLaC", "OggS"].includes(head) || head.slice(0, 3) === "ID3"
    || (["RIFF", "RIFX"].includes(head) && form === "WAVE")
    || (head === "FORM" && form.startsWith("AIF"))
    || (bytes[0] === 0xff && bytes[1] >= 0xe0 && (bytes[1] & 6) !== 0); // MP3, but not AAC
}

// The samples of a file as the mean of its channels, or null where the browser cannot decode it.
export async function decode(file, rate) {
  if (file.size > MOST_DECODED) return null;
  try {
    const context = new OfflineAudioContext(1, 1, rate);
    const audio = await context.decodeAudioData(await file.arrayBuffer());
    const samples = audio.getChannelData(0);
    for (let channel = 1; channel < audio.numberOfChannels; channel++) {
      const more = audio.getChannelData(channel);
      for (let i = 0; i < samples.length; i++) samples[i] += more[i];
    }
    const n = audio.numberOfChannels;
    if (n > 1) for (let i = 0; i < samples.length; i++) samples[i] /= n;
    return samples;
  } catch {
    return null;
  }
}

export function to16bit(samples) {
  const out = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    out[i] = Math.max(-32768, Math.min(32767, Math.round(samples[i] * 32768)));
  }
  return out;
}

// A WAV file of 16-bit mono samples, given as a list of Int16Array.
export function makeWav(blocks, rate) {
  const n = 2 * blocks.reduce((sum, block) => sum + block.length, 0);
  const head = new DataView(new ArrayBuffer(44));
  const text = (at, word) => [...word].forEach((c, i) => head.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  head.setUint32(4, 36 + n, true);
  text(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true); // whole numbers
  head.setUint16(22, 1, true); // channels
  head.setUint32(24, rate, true);
  head.setUint32(28, 2 * rate, true);
  head.setUint16(32, 2, true);
  head.setUint16(34, 16, true);
  text(36, "data");
  head.setUint32(40, n, true);
  return new Blob([head, ...blocks], { type: "audio/wav" });
}
