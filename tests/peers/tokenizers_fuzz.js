/*
 * tokenize(1) against the Hugging Face library itself: random text, mixed with what people write, encoded by
 * both, and random ids, decoded by both. Any difference is printed, and the exit status is 1.
 *
 *	npm install tokenizers
 *	NODE_PATH=node_modules node tests/peers/tokenizers_fuzz.js build/release/bin/tokenize MB SEED FOLDER ...
 *	    < some-text
 *
 * FOLDER holds a tokenizer.json; MB of text are encoded by each. Standard input, if any, is text that pieces are
 * taken from. With FOLDER `made:N`, N random tokenizers are made: every kind of normalizer, pre-tokenizer, model,
 * post-processor and decoder, put together at random.
 */
'use strict';
const fs = require('fs'), os = require('os'), path = require('path');
const {execFileSync} = require('child_process');
const {Tokenizer} = require('tokenizers');

const [, , program, megabytes, seed, ...folders] = process.argv;
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tokenizers-fuzz-'));
const corpus = (() => {
	try {
		return fs.fstatSync(0).isFIFO() || fs.fstatSync(0).isFile() ? fs.readFileSync(0, 'utf8') : '';
	} catch {
		return '';
	}
})();

let state = BigInt(seed || 1);
function random(n) { // 0 to n - 1, by splitmix64
	state = (state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
	let z = state;
	z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn;
	z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn;
	return Number((z ^ (z >> 31n)) % BigInt(n));
}
const pick = (list) => list[random(list.length)];
const some = (n, make) => Array.from({length: random(n) + 1}, make).join('');

// ---- text

/* Blocks of what is assigned in Unicode 14, which all sides know; and the whole of it, once in a while. */
const blocks = [[0x20, 0x7e], [0x20, 0x7e], [0x20, 0x7e], [0x0, 0x1f], [0xa0, 0xff], [0x100, 0x24f], [0x300, 0x36f],
	[0x370, 0x3ff], [0x400, 0x4ff], [0x590, 0x5ff], [0x600, 0x6ff], [0x900, 0x97f], [0xe00, 0xe5b], [0x1100, 0x11ff],
	[0x1e00, 0x1eff], [0x1f00, 0x1fff], [0x2000, 0x206f], [0x2070, 0x20bf], [0x2100, 0x218b], [0x2190, 0x23ff],
	[0x2460, 0x24ff], [0x2581, 0x2581], [0x3000, 0x30ff], [0x3130, 0x318e], [0x3400, 0x34ff], [0x4e00, 0x9fff],
	[0xac00, 0xd7a3], [0xf900, 0xfa6d], [0xfb00, 0xfb06], [0xfe00, 0xfe0f], [0xff00, 0xffef], [0xfffc, 0xfffd],
	[0x1d400, 0x1d7ff], [0x1f300, 0x1f6d7], [0x20000, 0x200ff], [0xe0100, 0xe010f]];
const bits = ["'s", "'S", "'ll", "'LL", "'\u017f", " '", '\r\n', '\n\n', '\n \n', '   ', '\t', '\u00a0', '\u2003', ' \u2581', '\u2581',
	'\u0301', 'e\u0301', '\u1100\u1161\u11a8', '\ufeff', '\0', '\u200b', '\u200d', '123', '1', '0000', '\u0661\u0662',
	'\u00bd', '_', '--', '...', '<0x0A>', '<unk>', '<s>', '</s>', '<pad>', '[CLS]', '[UNK]', '<|endoftext|>', '<|im_end|>',
	' <|im_start|>', '<|begin_of_text|>', '<extra_id_0>', '\ud83d\udc69\u200d\ud83d\udcbb', '\u0e01\u0e33', '##', 'ing', 'the '];

function character() {
	const [from, to] = pick(blocks);
	return String.fromCodePoint(from + random(to - from + 1));
}

function piece() {
	switch (random(9)) {
	case 0:
		return some(12, character);
	case 1: {
		const [from, to] = pick(blocks);
		return some(20, () => String.fromCodePoint(from + random(to - from + 1)));
	}
	case 2:
		return some(4, () => pick(bits));
	case 3:
		return pick([' ', 'a', '\n', '1', '-', '\u00e9', '\u4e00', '=']).repeat(random(random(20) ? 12 : 3000));
	case 4:
		return ' ' + some(9, () => String.fromCharCode(97 + random(26)));
	default: {
		const n = random(400), at = random(Math.max(1, corpus.length - n));
		return corpus.slice(at, at + n).toWellFormed();
	}
	}
}

// ---- tokenizers that are made up

function madeTokenizer() {
	const marks = ['\u2581', '_', '##', '\u0120', ''];
	const characters = new Set(['\u2581', '?', '#', ...'abcdefghij ABC.,\'19\u00e9\u0301\u4e00\u0120\u00c3\u00a9'].filter(() => random(9)));
	const tokens = new Set([...characters, '<unk>', '[UNK]', '[CLS]', '[SEP]']);
	const merges = [];
	const list = () => [...tokens].filter((t) => !/[[\]<>]/.test(t) && t.length < 8);
	for (let i = random(60); i > 0; i--) {
		const a = pick(list()), b = pick(list());
		if (!merges.some(([x, y]) => x === a && y === b)) merges.push([a, b]);
		tokens.add(a + b);
	}
	for (let i = random(3) * 100; i > 0; i--) tokens.add('<0x' + random(256).toString(16).toUpperCase().padStart(2, '0') + '>');
	for (const t of list()) if (!random(3)) tokens.add('##' + t);
	const vocab = Object.fromEntries([...tokens].map((t, i) => [t, i]));
	const flag = () => random(2) === 1;
	const pattern = () => pick([{String: ' '}, {String: 'a'}, {String: '\u2581'}, {Regex: '\\s+'}, {Regex: '[a-c]+|\\d'}, {Regex: '\\p{L}+'}]);
	const behavior = () => pick(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']);
	const metaspace = () => ({type: 'Metaspace', replacement: '\u2581', prepend_scheme: pick(['always', 'first', 'never']), split: flag()});
	const normalizer = () => pick([() => ({type: 'NFC'}), () => ({type: 'NFD'}), () => ({type: 'NFKC'}), () => ({type: 'NFKD'}),
		() => ({type: 'Lowercase'}), () => ({type: 'Strip', strip_left: flag(), strip_right: flag()}), () => ({type: 'StripAccents'}),
		() => ({type: 'Nmt'}), () => ({type: 'Prepend', prepend: pick(['\u2581', 'a '])}), () => ({type: 'ByteLevel'}),
		() => ({type: 'Replace', pattern: pattern(), content: pick(marks.slice(0, 4))}),
		() => ({type: 'BertNormalizer', clean_text: flag(), handle_chinese_chars: flag(), strip_accents: pick([null, true, false]), lowercase: flag()})])();
	const preTokenizer = () => pick([() => ({type: 'BertPreTokenizer'}), () => ({type: 'Whitespace'}), () => ({type: 'WhitespaceSplit'}),
		() => ({type: 'Digits', individual_digits: flag()}), () => ({type: 'Punctuation', behavior: behavior()}), metaspace,
		() => ({type: 'CharDelimiterSplit', delimiter: pick([' ', 'a', '\u00e9'])}), () => ({type: 'FixedLength', length: random(6) + 1}),
		() => ({type: 'ByteLevel', add_prefix_space: flag(), trim_offsets: flag(), use_regex: flag()}),
		() => ({type: 'Split', pattern: pattern(), behavior: behavior(), invert: flag()})])();
	const decoder = () => pick([() => ({type: 'ByteLevel'}), () => ({type: 'ByteFallback'}), () => ({type: 'Fuse'}), metaspace,
		() => ({type: 'WordPiece', prefix: pick(['##', 'a']), cleanup: flag()}), () => ({type: 'Strip', content: pick(['\u2581', ' ', 'a']), start: random(3), stop: 0}),
		() => ({type: 'Replace', pattern: pattern(), content: pick([' ', '', 'x'])}), () => ({type: 'BPEDecoder', suffix: pick(['a', '</w>', ' '])}),
		() => ({type: 'CTC', pad_token: pick(['a', '<pad>']), word_delimiter_token: pick(['b', '|']), cleanup: flag()})])();
	const sequence = (make, name) => !random(5) ? null : random(2) ? make() :
		{type: 'Sequence', [name]: Array.from({length: random(4)}, make)};
	const model = pick([() => ({type: 'BPE', dropout: null, unk_token: pick([null, '<unk>']), continuing_subword_prefix: null,
		end_of_word_suffix: null, fuse_unk: flag(), byte_fallback: flag(), ignore_merges: flag(), vocab, merges}),
	() => ({type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: pick([3, 10, 100]), vocab}),
	() => ({type: 'WordLevel', unk_token: '<unk>', vocab}),
	() => ({type: 'Unigram', unk_id: vocab['<unk>'], byte_fallback: flag(), vocab: Object.keys(vocab).map((t) => [t, -random(64) / 4])})])();
	const added = Array.from({length: random(5)}, (_, i) => ({id: 9000 + i, content: pick([...bits, 'ab', 'a', ' b']), single_word: !random(4),
		lstrip: !random(4), rstrip: !random(4), normalized: flag(), special: flag()}));
	for (const t of added) // the library dies of one that a normalizer leaves nothing of
		t.normalized &&= /[a-z1]/i.test(t.content);
	return {version: '1.0', truncation: null, padding: null, added_tokens: added.filter((t, i) => added.findIndex((o) => o.content === t.content) === i),
		normalizer: sequence(normalizer, 'normalizers'), pre_tokenizer: sequence(preTokenizer, 'pretokenizers'),
		post_processor: pick([null, {type: 'BertProcessing', sep: ['[SEP]', vocab['[SEP]']], cls: ['[CLS]', vocab['[CLS]']]}]),
		decoder: sequence(decoder, 'decoders'), model};
}

// ---- comparing

function ours(folder, rows, ...options) {
	const file = path.join(dir, 'in.jsonl');
	fs.writeFileSync(file, rows.map((r) => JSON.stringify(r) + '\n').join(''));
	return execFileSync(program, ['-q', '-m', folder, ...options, file], {maxBuffer: 1 << 30, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']})
		.trimEnd().split('\n').map((l) => JSON.parse(l));
}

let differences = 0;
function differ(folder, what, input, want, got) {
	if (differences++ < 20) console.log(`${folder}: ${what} ${JSON.stringify(input).slice(0, 400)}\n  library: ${want.slice(0, 400)}\n  here:    ${got.slice(0, 400)}`);
}

async function encodeBoth(folder, t, texts) {
	const special = random(2) === 1, want = [];
	for (const s of texts) {
		try {
			want.push((await t.encode(s, null, {addSpecialTokens: special})).getIds());
		} catch (e) {
			want.push(null);
		}
	}
	const kept = texts.filter((_, i) => want[i]), ids = want.filter((w) => w);
	const got = ours(folder, kept.map((text) => ({text})), '--encode', ...(special ? ['--special'] : []));
	kept.forEach((s, i) => {
		if (ids[i].join() !== got[i].ids.join()) {
			let at = 0;
			while (ids[i][at] === got[i].ids[at]) at++;
			differ(folder, `encode, id ${at} of`, s, ids[i].slice(Math.max(0, at - 3), at + 12).join(), got[i].ids.slice(Math.max(0, at - 3), at + 12).join());
		}
	});
	return ids;
}

/* Special tokens that a normalizer changes: told to leave them out, version 0.23 of the library does not. */
async function shownAlways(t, file) {
	const shown = new Set();
	for (const token of file.added_tokens || [])
		if (token.special && token.normalized) shown.add(t.tokenToId(token.content));
	return shown;
}

async function decodeBoth(folder, t, lists, shown) {
	for (const skip of [false, true]) {
		const rows = lists.map((ids) => skip ? ids.filter((id) => !shown.has(id)) : ids), want = [];
		for (const ids of rows) {
			try {
				want.push(await t.decode(ids, skip));
			} catch (e) {
				want.push(null);
			}
		}
		const got = ours(folder, rows.map((ids) => ({ids})), '--decode-ids', ...(skip ? [] : ['--special']));
		rows.forEach((ids, i) => {
			if (want[i] !== null && want[i] !== got[i].text) differ(folder, skip ? 'decode without special' : 'decode', ids, JSON.stringify(want[i]), JSON.stringify(got[i].text));
		});
	}
}

const shuffled = (list) => list.map((x) => [random(1 << 30), x]).sort((a, b) => a[0] - b[0]).map((x) => x[1]);

async function compare(folder, bytes) {
	const file = JSON.parse(fs.readFileSync(path.join(folder, 'tokenizer.json'), 'utf8'));
	const t = Tokenizer.fromString(JSON.stringify({...file, truncation: null, padding: null}));
	const shown = await shownAlways(t, file);
	let done = 0, texts = 0, tokens = 0;
	while (done < bytes) {
		const batch = [];
		for (let size = 0; size < Math.min(1e6, bytes - done);) {
			const s = random(50) ? some(8, piece) : '';
			batch.push(s);
			size += Buffer.byteLength(s) + 1;
		}
		const ids = await encodeBoth(folder, t, batch);
		done += batch.reduce((n, s) => n + Buffer.byteLength(s) + 1, 0);
		texts += batch.length;
		tokens += ids.reduce((n, l) => n + l.length, 0);
		await decodeBoth(folder, t, ids.slice(0, 300).flatMap((l) => [l.slice(0, 2000), shuffled(l.slice(0, 300))]), shown);
	}
	return {done, texts, tokens};
}

(async () => {
	for (const folder of folders) {
		const made = /^made:(\d+)$/.exec(folder);
		const sum = {done: 0, texts: 0, tokens: 0, refused: 0};
		for (let i = 0; i < (made ? Number(made[1]) : 1); i++) {
			const at = made ? path.join(dir, 'made') : folder;
			if (made) {
				const json = JSON.stringify(madeTokenizer());
				fs.mkdirSync(at, {recursive: true});
				fs.writeFileSync(path.join(at, 'tokenizer.json'), json);
				try {
					Tokenizer.fromString(json);
				} catch {
					sum.refused++;
					continue;
				}
			}
			const before = differences;
			const one = await compare(at, made ? Number(megabytes) * 1e6 / Number(made[1]) : Number(megabytes) * 1e6);
			if (made && differences > before && differences < 20) {
				const kept = path.join(os.tmpdir(), `tokenizers-fuzz-${seed}-${i}.json`);
				fs.copyFileSync(path.join(at, 'tokenizer.json'), kept);
				console.log(`  by ${kept}`);
			}
			for (const k in one) sum[k] += one[k];
		}
		console.log(`${folder}: ${(sum.done / 1e6).toFixed(1)} MB in ${sum.texts} texts, ${sum.tokens} tokens${made ? `, ${sum.refused} tokenizers that the library refuses` : ''}; ${differences} differences so far`);
	}
	fs.rmSync(dir, {recursive: true});
	process.exit(differences ? 1 : 0);
})();
