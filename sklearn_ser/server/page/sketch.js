// A recording in small: the lowest and highest sample and a spectrum, for each step of time.
export const BANDS = 64;
const FRAME = 0.025; // seconds of a spectrum
const FRAMES = 3; // of a step, at most; the loudest counts
const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
const hertz = (mels) => 700 * (10 ** (mels / 2595) - 1);

export class Sketch {
  constructor(rate, step = 0.02) {
    this.rate = rate;
    this.step = step;
    this.low = [];
    this.high = [];
    this.spectra = []; // Int8Array of BANDS, in dB of full scale
    this.loudest = -100;
    this.n = 0; // samples
    this.size = Math.round(step * rate);
    this.length = 2 ** Math.round(Math.log2(FRAME * rate));
    this.highest = Math.min(8000, rate / 2); // Hz
    this.transform = new Transform(this.length);
    const bin = (band) => hertz(mel(this.highest) * band / BANDS) * this.length / rate;
    this.edges = Array.from({ length: BANDS + 1 }, (_, band) => Math.max(1, Math.floor(bin(band))));
    this.open = new Float32Array(0); // the samples of the step that is not full
  }

  get seconds() { return this.n / this.rate; }

  // Where a frequency lies, from 0 at the bottom to 1 at the top.
  height(frequency) { return mel(frequency) / mel(this.highest); }

  push(samples) {
    this.n += samples.length;
    const all = new Float32Array(this.open.length + samples.length);
    all.set(this.open);
    all.set(samples, this.open.length);
    let start = 0;
    for (; start + this.size <= all.length; start += this.size) {
      this.add(all.subarray(start, start + this.size));
    }
    this.open = all.slice(start);
  }

  add(samples) {
    let low = 0, high = 0;
    for (const value of samples) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    this.low.push(low);
    this.high.push(high);
    const spectrum = new Int8Array(BANDS).fill(-100);
    const frames = Math.max(1, Math.min(FRAMES, Math.floor(samples.length / this.length)));
    for (let i = 0; i < frames; i++) {
      const start = Math.floor((samples.length - this.length) * (i + 0.5) / frames);
      const power = this.transform.power(samples.subarray(Math.max(0, start)));
      for (let band = 0; band < BANDS; band++) {
        let most = 1e-10;
        for (let k = this.edges[band]; k < Math.max(this.edges[band] + 1, this.edges[band + 1]); k++) {
          if (power[k] > most) most = power[k];
        }
        const level = 10 * Math.log10(most);
        if (level > spectrum[band]) spectrum[band] = Math.round(level);
        if (level > this.loudest) this.loudest = level;
      }
    }
    this.spectra.push(spectrum);
  }
}

// Fourier transform of real samples, in a window of Hann.
class Transform {
  constructor(n) {
    this.n = n;
    this.window = Float32Array.from({ length: n }, (_, i) => (1 - Math.cos(2 * Math.PI * i / n)) / n);
    this.cos = Float32Array.from({ length: n / 2 }, (_, i) => Math.cos(2 * Math.PI * i / n));
    this.sin = Float32Array.from({ length: n / 2 }, (_, i) => Math.sin(2 * Math.PI * i / n));
    const bits = Math.log2(n);
    this.order = Uint16Array.from({ length: n }, (_, i) => {
      let reversed = 0;
      for (let bit = 0; bit < bits; bit++) reversed |= ((i >> bit) & 1) << (bits - 1 - bit);
      return reversed;
    });
    this.re = new Float32Array(n);
    this.im = new Float32Array(n);
  }

  power(samples) {
    const { n, re, im, cos, sin } = this;
    im.fill(0);
    for (let i = 0; i < n; i++) re[this.order[i]] = (samples[i] || 0) * this.window[i];
    for (let size = 2; size <= n; size *= 2) {
      const half = size / 2, stride = n / size;
      for (let start = 0; start < n; start += size) {
        for (let k = 0; k < half; k++) {
          const a = start + k, b = a + half, c = cos[k * stride], s = sin[k * stride];
          const x = re[b] * c + im[b] * s, y = im[b] * c - re[b] * s;
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
      }
    }
    for (let i = 0; i <= n / 2; i++) re[i] = re[i] * re[i] + im[i] * im[i];
    return re;
  }
}
