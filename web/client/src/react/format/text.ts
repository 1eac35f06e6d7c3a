import { safeUrl } from './url.js';

// Embeddings, overrides and isolates can reverse surrounding text. `<bdi>` isolates each title's direction anyway.
const BIDI_CONTROLS = /[\u202A-\u202E\u2066-\u2069]/g;
// Invisible control characters, except tab and line break.
const INVISIBLE = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFEFF]/g;
// Text of only spaces, zero-width characters and the like.
const BLANK = /^[\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]*$/u;

function withoutControls(text: string): string {
  return text.replace(BIDI_CONTROLS, '').replace(INVISIBLE, '');
}

/** Text of an event on one line. Empty if nothing of it is visible. */
export function plainLine(text: string | null | undefined): string {
  const line = withoutControls(text ?? '')
    .replace(/\s+/g, ' ')
    .trim();
  return BLANK.test(line) ? '' : line;
}

/** Shortens a text without splitting a grapheme. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text;
  let end = 0;
  for (const { index, segment } of new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text)) {
    if (index + segment.length > length - 1) break;
    end = index + segment.length;
  }
  return `${text.slice(0, end).trimEnd()}…`;
}

const MARKUP =
  /<\/?(?:a|b|blockquote|br|code|div|em|font|h[1-6]|hr|html-blob|i|img|li|ol|p|pre|s|span|strong|style|script|svg|table|tbody|td|th|tr|u|ul)\b[^>]*>|&(?:amp|lt|gt|quot|nbsp|apos|#\d+|#x[\da-f]+);/i;
const BLOCKS = new Set([
  'BLOCKQUOTE',
  'DIV',
  'H1',
  'H2',
  'H3',
  'H4',
  'H5',
  'H6',
  'HR',
  'LI',
  'OL',
  'P',
  'PRE',
  'TABLE',
  'TR',
  'UL',
]);
const UNSEEN = new Set(['HEAD', 'IFRAME', 'NOSCRIPT', 'OBJECT', 'SCRIPT', 'STYLE', 'TEMPLATE', 'TITLE']);

/**
 * A description as plain text with line breaks. HTML is parsed in an inert document, which loads and runs nothing, and only
 * its text is used.
 */
export function plainText(description: string | null | undefined): string {
  const source = description ?? '';
  const text = MARKUP.test(source) && typeof DOMParser !== 'undefined' ? textOfHtml(source) : source;
  return withoutControls(text)
    .replace(/\r\n?/g, '\n')
    .replace(/[^\S\n]+\n/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

const TAGS = /<[a-z][^<>]*/gi;
const HANDLERS = /([\s"'/])on(?=\w+\s*=)/gi;

function textOfHtml(html: string): string {
  // Event handlers do not run there, but browsers report each one as a violation of the page's security policy.
  const quiet = html.replace(TAGS, (tag) => tag.replace(HANDLERS, '$1data-'));
  const { body } = new DOMParser().parseFromString(quiet, 'text/html');
  // No blank line between a list and the text before it.
  return textOfNode(body).replace(/\n{2,}• /g, '\n• ');
}

function textOfNode(node: Node): string {
  if (node.nodeType === 3) return node.nodeValue ?? '';
  if (node.nodeType !== 1 || UNSEEN.has(node.nodeName)) return '';
  if (node.nodeName === 'BR') return '\n';
  const inner = Array.from(node.childNodes, textOfNode).join('');
  if (node.nodeName === 'A') return withTarget(inner, (node as Element).getAttribute('href'));
  if (!BLOCKS.has(node.nodeName)) return inner;
  return node.nodeName === 'LI' ? `\n• ${inner.trim()}` : `\n${inner}\n`;
}

/** The link's text, followed by its URL if that is different. */
function withTarget(text: string, href: string | null): string {
  const url = safeUrl(href);
  if (!url) return text;
  const shown = text.trim();
  const same = shown === '' || url.includes(shown) || shown.includes(url);
  return same ? shown || url : `${shown} (${url})`;
}

export interface TextPart {
  text: string;
  /** The URL, if this part is a link. */
  url: string | null;
}

/** Splits plain text into links and other parts. */
export function linkParts(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"]+/gi)) {
    // A full stop or bracket after a URL belongs to the sentence.
    const address = match[0].replace(/[.,;:!?)\]}'…]+$/, '');
    const url = safeUrl(address);
    if (!url) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index), url: null });
    parts.push({ text: address, url });
    end = match.index + address.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), url: null });
  return parts;
}
