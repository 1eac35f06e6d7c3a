import { THEMES, useTheme, type Theme } from '../theme';
import { Icon } from './Icon';

const NAMES: Record<Theme, string> = { system: 'as the system', light: 'light', dark: 'dark' };

export function ThemeButton() {
  const [theme, choose] = useTheme();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
  const label = `Theme: ${NAMES[theme]}. Change to ${NAMES[next]}`;
  return (
    <button type="button" className="button quiet square" aria-label={label} title={label} onClick={() => choose(next)}>
      <Icon name={theme} />
    </button>
  );
}
