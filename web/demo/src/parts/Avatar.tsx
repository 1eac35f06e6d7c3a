/** The user's initial on their colour. */
export function Avatar({ name, index }: { name: string; index: number }) {
  return (
    <span className="avatar" data-hue={index % 4} aria-hidden="true">
      {nameOf(name).slice(0, 1)}
    </span>
  );
}

export function nameOf(user: string): string {
  return user.slice(0, 1).toUpperCase() + user.slice(1);
}
