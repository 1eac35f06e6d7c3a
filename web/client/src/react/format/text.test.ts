import { describe, expect, it } from 'vitest';

import { linkParts, plainLine, plainText, shorten } from './text.js';

describe('a title', () => {
  it('is one line without bidirectional controls', () => {
    expect(plainLine('  Plan\n\tQ1  ')).toBe('Plan Q1');
    expect(plainLine('invoice\u202Efdp.exe')).toBe('invoicefdp.exe');
    expect(plainLine('\u2067שלום\u2069 Dana')).toBe('שלום Dana');
    expect(plainLine('a\u0000b\u0007c\uFEFF')).toBe('abc');
    expect(plainLine(null)).toBe('');
    expect(plainLine('\u200B\u2060 \u00AD')).toBe('');
  });

  it('keeps its markup as text', () => {
    expect(plainLine('<img src=x onerror=alert(1)> & co')).toBe('<img src=x onerror=alert(1)> & co');
  });

  it('is shortened without splitting emoji', () => {
    expect(shorten('👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 24)).toBe('👩‍👩‍👧‍👦👩‍👩‍👧‍👦…');
    expect(shorten('short', 10)).toBe('short');
    expect(shorten('x'.repeat(10_000), 300)).toHaveLength(300);
  });
});

describe('a description', () => {
  it('keeps only the line breaks of its HTML', () => {
    expect(plainText('Agenda:<br>1. <b>Numbers</b><br/>2. Q&amp;A')).toBe('Agenda:\n1. Numbers\n2. Q&A');
    expect(plainText('<p>One</p><p>Two</p>')).toBe('One\n\nTwo');
    expect(plainText('<ul><li>One</li><li>Two</li></ul>')).toBe('• One\n• Two');
    expect(plainText('<p>Agenda:</p><ul><li>One</li></ul><p>Bye</p>')).toBe('Agenda:\n• One\n\nBye');
  });

  it('runs and loads nothing', () => {
    let loaded = false;
    (globalThis as { stolen?: () => void }).stolen = () => (loaded = true);
    const text = plainText(
      'Hi<script>stolen()</script><img src=x onerror="stolen()"><style>p{}</style><iframe src="//x"></iframe>',
    );
    expect(text).toBe('Hi');
    expect(loaded).toBe(false);
  });

  it('in plain text is unchanged', () => {
    expect(plainText('if a < b && c > d\nthen x<y')).toBe('if a < b && c > d\nthen x<y');
    expect(plainText('a\r\nb\n\n\n\nc  \nd')).toBe('a\nb\n\nc\nd');
  });

  it('includes the URLs of safe links', () => {
    expect(plainText('<a href="https://docs.example/d/1">Notes</a>')).toBe('Notes (https://docs.example/d/1)');
    expect(plainText('<a href="https://example.com/">example.com</a>')).toBe('example.com');
    expect(plainText('<a href="javascript:alert(1)">Click</a>')).toBe('Click');
  });

  it('of 10,000 characters is complete', () => {
    const long = `<p>${'word '.repeat(2_000)}</p>`;
    expect(plainText(long)).toHaveLength(9_999);
  });
});

describe('links in text', () => {
  it('are found without surrounding punctuation', () => {
    expect(linkParts('See (https://a.example/x?y=1), or http://b.example.')).toEqual([
      { text: 'See (', url: null },
      { text: 'https://a.example/x?y=1', url: 'https://a.example/x?y=1' },
      { text: '), or ', url: null },
      { text: 'http://b.example', url: 'http://b.example/' },
      { text: '.', url: null },
    ]);
  });

  it('have only web schemes', () => {
    expect(linkParts('javascript:alert(1) ftp://x')).toEqual([{ text: 'javascript:alert(1) ftp://x', url: null }]);
    expect(linkParts('')).toEqual([]);
  });
});
