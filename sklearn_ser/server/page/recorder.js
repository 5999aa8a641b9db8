// Runs beside the page: collects samples of the microphone and hands them over in larger pieces.
class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.kept = new Float32Array(2048);
    this.n = 0;
  }

  process([input]) {
    if (!input.length) return true;
    for (let i = 0; i < input[0].length; i++) {
      let sum = 0;
      for (const channel of input) sum += channel[i];
      this.kept[this.n++] = sum / input.length;
      if (this.n === this.kept.length) {
        this.port.postMessage(this.kept.slice());
        this.n = 0;
      }
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
