/*
 * encode_peer.js FOLDER FILE ROUNDS: what encode.c measures, by the Hugging Face library's encodeBatch, with as many
 * threads as RAYON_NUM_THREADS says. Needs npm's "tokenizers" where NODE_PATH points to.
 */
'use strict';
const fs = require('fs');
const {Tokenizer} = require('tokenizers');

(async () => {
	const [, , folder, file, rounds] = process.argv;
	const t = Tokenizer.fromFile(folder + '/tokenizer.json');
	const texts = fs.readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line).text);
	const bytes = texts.reduce((n, s) => n + Buffer.byteLength(s), 0);
	let best = Infinity, tokens;
	for (let round = 0; round < Number(rounds); round++) {
		const start = process.hrtime.bigint();
		const made = await t.encodeBatch(texts, {addSpecialTokens: false});
		best = Math.min(best, Number(process.hrtime.bigint() - start) / 1e9);
		tokens ??= made.reduce((n, e) => n + e.getLength(), 0);
	}
	console.log(`${(bytes / 1e6 / best).toFixed(1)} MB/s, ${tokens} tokens`);
})();
