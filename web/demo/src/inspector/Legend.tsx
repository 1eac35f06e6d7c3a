const PARTS = [
  ['waited', 'waited', 'from the push or other cause until a worker started'],
  ['pulled', 'pulled', 'Google’s answer was fetched and committed'],
  ['published', 'published', 'the message was sent to the broker'],
  ['arrived', 'to this tab', 'the message arrived over the socket, by this browser’s clock'],
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
