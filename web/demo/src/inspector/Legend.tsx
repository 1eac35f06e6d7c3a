const PARTS = [
  ['waited', 'waited', 'from the push, or whatever asked, until a worker took it'],
  ['pulled', 'pulled', 'Google was asked, and the answer committed'],
  ['published', 'published', 'the message went to the broker'],
  ['arrived', 'to this tab', 'it came over the socket, by the clock of this browser'],
] as const;

export function Legend() {
  return (
    <dl className="legend">
      {PARTS.map(([part, name, meaning]) => (
        <div key={part}>
          <dt>
            <span className="swatch" data-part={part} />
            {name}
          </dt>
          <dd>{meaning}</dd>
        </div>
      ))}
    </dl>
  );
}
