# The appliance's key among those of administrators:
# https://learn.microsoft.com/windows-server/administration/openssh/openssh_keymanagement
# Bytes of other lines stay what they are, in whatever code page they were written.

function Get-KeyFile {
    return [Environment]::GetFolderPath('CommonApplicationData') + '\ssh\administrators_authorized_keys'
}

function Get-KeyLines {
    param([string]$Path)
    if (-not [IO.File]::Exists($Path)) {
        return , @()
    }
    $text = [IO.File]::ReadAllText($Path, [Text.Encoding]::GetEncoding(28591))
    # The marks that PowerShell's own redirection writes: sshd takes no such file.
    if ($text.StartsWith([string][char]0xff + [char]0xfe)) {
        Stop-Operation -Code 'state_wrong' -Message "$Path is in UTF-16, which sshd does not read: write it anew as ASCII"
    }
    $lines = @()
    foreach ($line in ($text -split "`r?`n")) {
        if ($line -ne '') {
            $lines += $line
        }
    }
    return , $lines
}

# Those that are not of this set-up.
function Get-OtherLines {
    param($Lines, [string]$SetupId)
    $ending = ' ' + (Get-SetupName -SetupId $SetupId)
    $others = @()
    foreach ($line in $Lines) {
        if (-not $line.EndsWith($ending, [StringComparison]::Ordinal)) {
            $others += $line
        }
    }
    return , $others
}

# Whole, under another name first. One that is replaced keeps its permissions; a new one is for administrators and the system
# alone, else sshd does not take it.
# https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-replacefilew
function Write-KeyLines {
    param([string]$Path, $Lines)
    $new = $Path + '.rouse-new'
    [IO.File]::WriteAllText($new, ($Lines -join "`r`n") + "`r`n", [Text.Encoding]::GetEncoding(28591))
    Sync-File -Path $new
    if ([IO.File]::Exists($Path)) {
        [IO.File]::Replace($new, $Path, [NullString]::Value)
        return
    }
    $security = New-Object -TypeName Security.AccessControl.FileSecurity
    $security.SetAccessRuleProtection($true, $false)
    # Administrators and SYSTEM, whose names are translated:
    # https://learn.microsoft.com/windows-server/identity/ad-ds/manage/understand-security-identifiers
    foreach ($sid in @('S-1-5-32-544', 'S-1-5-18')) {
        $account = New-Object -TypeName Security.Principal.SecurityIdentifier -ArgumentList @($sid)
        $rule = New-Object -TypeName Security.AccessControl.FileSystemAccessRule -ArgumentList @(
            $account, [Security.AccessControl.FileSystemRights]::FullControl,
            [Security.AccessControl.AccessControlType]::Allow)
        $security.AddAccessRule($rule)
    }
    [IO.File]::SetAccessControl($new, $security)
    [IO.File]::Move($new, $Path)
}

function Invoke-PutKey {
    param($Request)
    $path = Get-KeyFile
    $lines = Get-KeyLines -Path $path
    if ($lines -ccontains $Request.line) {
        return [ordered]@{ made = $false }
    }
    New-Folder -Path ([IO.Path]::GetDirectoryName($path))
    $others = Get-OtherLines -Lines $lines -SetupId $Request.setupId
    Write-KeyLines -Path $path -Lines (@($others) + @($Request.line))
    return [ordered]@{ made = $true }
}

# A file without keys says the same as none.
function Invoke-RemoveKey {
    param($Request)
    $path = Get-KeyFile
    $lines = Get-KeyLines -Path $path
    $others = Get-OtherLines -Lines $lines -SetupId $Request.setupId
    if ($others.Length -eq $lines.Length) {
        return [ordered]@{ removed = $false }
    }
    if ($others.Length -eq 0) {
        [IO.File]::Delete($path)
    }
    else {
        Write-KeyLines -Path $path -Lines $others
    }
    return [ordered]@{ removed = $true }
}
