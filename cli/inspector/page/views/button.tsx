/** A button with a picture. Its text is hidden where there is no room; then it is still its name. */
import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon.js';

interface Props {
  icon: IconName;
  text: string;
  /** The key that does the same. */
  shortcut?: string;
  isPressed?: boolean;
  isDisabled?: boolean;
  isIconOnly?: boolean;
  class?: string;
  onPress: () => void;
}

export function Button(props: Props): ComponentChildren {
  const { icon, text, shortcut, isPressed, isDisabled, isIconOnly, onPress } = props;
  return (
    <button
      type="button"
      class={`button ${isIconOnly ? 'icon-only' : ''} ${props.class ?? ''}`}
      aria-pressed={isPressed}
      disabled={isDisabled}
      title={shortcut === undefined ? text : `${text} (${shortcut})`}
      onClick={onPress}
    >
      <Icon name={icon} />
      <span class="button-text">{text}</span>
    </button>
  );
}
